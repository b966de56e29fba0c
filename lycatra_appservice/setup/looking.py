"""What can be seen from here before anything is configured: homeservers, people, models, ports."""

import os
import socket
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import aiohttp

from lycatra_appservice.doctor.address import NoHomeserverError, Seen, look_at
from lycatra_appservice.model import JSON

OLLAMA_ADDRESSES: Final = (
    "http://localhost:11434",
    "http://host.docker.internal:11434",
    "http://ollama:11434",
)
HOMESERVER_ADDRESSES: Final = ("http://localhost:8008", "http://synapse:8008")

_PATIENCE: Final = aiohttp.ClientTimeout(total=5, connect=2)


async def find_homeserver(session: aiohttp.ClientSession, url: str) -> Seen:
    """Look at an address, and at the one that its .well-known names. Raises NoHomeserverError."""
    try:
        return await look_at(session, url)
    except NoHomeserverError as failed:
        named = (await _json(session, f"{url}/.well-known/matrix/client")).get("m.homeserver")
        base = named.get("base_url") if isinstance(named, dict) else None
        if not isinstance(base, str) or not base.startswith(("http://", "https://")):
            raise NoHomeserverError(str(failed)) from failed
        return await look_at(session, base.rstrip("/"))


async def first_homeserver(session: aiohttp.ClientSession, server_name: str) -> Seen | None:
    """The first usual address where this homeserver, and no other, answers."""
    for url in (*HOMESERVER_ADDRESSES, f"https://{server_name}"):
        try:
            seen = await find_homeserver(session, url)
        except NoHomeserverError:
            continue
        if await server_name_at(session, seen.url) in (None, server_name):
            return seen
    return None


async def server_name_at(session: aiohttp.ClientSession, url: str) -> str | None:
    """What the homeserver calls itself; None where it keeps its keys behind another address."""
    name = (await _json(session, f"{url}/_matrix/key/v2/server")).get("server_name")
    return name if isinstance(name, str) else None


async def has_profile(session: aiohttp.ClientSession, url: str, user_id: str) -> bool | None:
    """Whether somebody exists; None when the homeserver does not tell strangers."""
    address = f"{url}/_matrix/client/v3/profile/{quote(user_id, safe='')}"
    try:
        async with session.get(address, timeout=_PATIENCE, allow_redirects=False) as answer:
            return {200: True, 404: False}.get(answer.status)
    except (aiohttp.ClientError, TimeoutError):
        return None


async def models_at(
    session: aiohttp.ClientSession, url: str, api_key: str | None = None
) -> tuple[str, Sequence[str]]:
    """The address as the configuration needs it, and the models there that can chat."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    bases = [url] if url.endswith("/v1") else [f"{url}/v1", url]
    for base in bases:
        listed = (await _json(session, f"{base}/models", headers)).get("data")
        if isinstance(listed, list):
            names = [str(each.get("id")) for each in listed if isinstance(each, dict)]
            return base, [name for name in names if "embed" not in name]
    return bases[-1], []


def why_port_is_taken(host: str, port: int) -> str | None:
    """None when we could listen there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        if os.name == "posix":  # elsewhere it would let us take a port that is in use
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as refused:
            return refused.strerror or str(refused)
    return None


async def _json(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str] | None = None
) -> dict[str, JSON]:
    try:
        async with session.get(
            url, headers=headers, timeout=_PATIENCE, allow_redirects=False
        ) as answer:
            body = await answer.json(content_type=None) if answer.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}
