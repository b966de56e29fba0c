"""The `mcp` section: who may come to `/mcp`, by which names, and how long calls wait."""

import hmac
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, SecretStr, model_validator

from lycatra_appservice.settings_section import Section
from lycatra_appservice.settings_types import BaseUrl, JsonList, ServerName, Span

_KEY_CHARS = 32
_PURPOSE = b"lycatra/mcp/keys/v1"


def _long_enough(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value()) < _KEY_CHARS:
        raise ValueError(f"should have at least {_KEY_CHARS} characters")
    return key


Key: TypeAlias = Annotated[SecretStr, AfterValidator(_long_enough)]
Network: TypeAlias = IPv4Network | IPv6Network


class Mcp(Section):
    """The endpoint for MCP clients."""

    enabled: bool = Field(True, description="false: there is no /mcp")
    public_url: BaseUrl | None = Field(
        None, description="how clients reach it, e.g. https://bot.example.org"
    )
    hosts: Annotated[tuple[str, ...], JsonList] = Field(
        (), description="more host names by which it is called, without ports"
    )
    origins: Annotated[tuple[str, ...], JsonList] = Field(
        (), description="web pages that may call it, e.g. https://ide.example.org"
    )
    auth: Literal["token", "none"] = Field(
        "token", description="none: everybody who reaches it is a viewer"
    )
    networks: Annotated[tuple[Network, ...], JsonList] = Field(
        (), description="for auth: none, the networks of the clients, e.g. 10.0.0.0/24"
    )
    wait: Span = Field(timedelta(seconds=50), description="how long a call waits for approval")
    calls_per_minute: int = Field(120, ge=1, le=100_000, description="of one token")
    openid_servers: Annotated[tuple[ServerName, ...], JsonList] | None = Field(
        None,
        description="whose OpenID tokens are exchanged; unset: your own server's",
    )
    keys: Annotated[tuple[Key, ...], JsonList] = Field(
        (), description="unset: made of the as_token; the first signs, all are accepted"
    )

    @model_validator(mode="after")
    def _networks_need_a_reason(self) -> "Mcp":
        if self.networks and self.auth != "none":
            raise ValueError("networks should stand beside auth: none only")
        return self


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def signing_keys(mcp: Mcp, as_token: SecretStr) -> Sequence[bytes]:
    """The keys for sessions and states, the same on every replica."""
    if mcp.keys:
        return [key.get_secret_value().encode() for key in mcp.keys]
    return [hmac.digest(as_token.get_secret_value().encode(), _PURPOSE, "sha256")]
