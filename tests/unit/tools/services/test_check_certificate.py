"""Certificates of hosts that speak TLS rightly, wrongly, or not at all."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import trustme
from pydantic import ValidationError

from lycatra_appservice.errors import InvalidArgumentsError, ToolFailedError
from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.tools.services._certificates import looking
from lycatra_appservice.tools.services._settings import ServicesSettings
from lycatra_appservice.tools.services.check_certificate import TOOL
from tests.support.small_internet import SmallInternet, small_internet
from tests.support.toolbench import bench

Check: TypeAlias = Callable[..., Awaitable[ToolResult]]

SHOP, INNER = "93.184.216.34", "10.0.0.9"
END = datetime(2036, 3, 1, tzinfo=UTC)
NOW = datetime(2036, 1, 1, tzinfo=UTC)  # of the tool alone: OpenSSL has a clock of its own


@dataclass
class Hosts:
    """Servers by their names, of an authority that this machine trusts."""

    internet: SmallInternet
    authority: trustme.CA
    stack: AsyncExitStack

    async def serve(
        self, name: str, cert: trustme.LeafCert | None = None, *, at: str = SHOP, port: int = 443
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cert = cert or self.authority.issue_cert(name, common_name="It", not_after=END)
        cert.configure_cert(context)
        await self.answer(name, lambda _: None, at=at, port=port, context=context)

    async def answer(
        self,
        name: str,
        say: Callable[[asyncio.StreamWriter], None],
        *,
        at: str = SHOP,
        port: int = 443,
        context: ssl.SSLContext | None = None,
    ) -> None:
        async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            say(writer)
            await reader.read()
            writer.transport.abort()

        server = await asyncio.start_server(end, "127.0.0.1", 0, ssl=context)
        await self.stack.enter_async_context(server)
        self.internet.name(name, [at])
        self.internet.lead(at, port, server.sockets[0].getsockname()[1])


@pytest.fixture
async def hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Hosts]:
    authority = trustme.CA(organization_name="Test authority")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with small_internet(monkeypatch) as internet, AsyncExitStack() as stack:
        yield Hosts(internet, authority, stack)


@pytest.fixture
async def check(hosts: Hosts) -> AsyncIterator[Check]:
    async with AsyncExitStack() as stack:

        async def call(
            host: str | None = None, *, now: datetime = NOW, **settings: Any
        ) -> ToolResult:
            section = ServicesSettings.model_validate(settings)
            on = await stack.enter_async_context(
                bench(
                    registry=discover(),
                    settings={"services": section},
                    make_resolver=lambda: hosts.internet.names,
                    now=lambda: now,
                )
            )
            args = {} if host is None else {"host": host}
            async with asyncio.timeout(20):
                return await on.toolbox().call("check_certificate", args)

        yield call


def only(result: ToolResult) -> dict[str, Any]:
    [found] = result.data["certificates"]
    assert isinstance(found, dict)
    return found


async def test_a_good_certificate_is_told_with_all_that_people_ask_about(
    hosts: Hosts, check: Check
) -> None:
    await hosts.serve("shop.example")
    result = await check("https://shop.example/")
    issuer = only(result)["issuer"]
    assert only(result) == {
        "host": "shop.example",
        "valid": True,
        "problems": [],
        "days_left": 60,
        "expires": "2036-03-01T00:00:00+00:00",
        "issuer": issuer,
        "names": ["shop.example"],
        "names_total": 1,
        "tls": "TLS 1.3",
    }
    assert issuer.startswith("Test authority")
    assert result.markdown.splitlines()[0] == "**Valid**"
    assert "2036-03-01 (60 d), TLS 1.3" in result.markdown


async def test_one_that_ends_soon_is_valid_and_marked(hosts: Hosts, check: Check) -> None:
    await hosts.serve("shop.example")
    result = await check("shop.example", now=datetime(2036, 2, 20, tzinfo=UTC))
    assert only(result)["valid"] is True
    assert only(result)["days_left"] == 10
    assert "⚠️ expires soon" in result.markdown


async def test_an_expired_one_is_told_with_how_long_ago(hosts: Hosts, check: Check) -> None:
    old = hosts.authority.issue_cert("shop.example", not_after=datetime(2026, 1, 1, tzinfo=UTC))
    await hosts.serve("shop.example", old)
    result = await check("shop.example", now=datetime(2026, 1, 11, 12, tzinfo=UTC))
    assert only(result)["valid"] is False
    assert only(result)["problems"] == ["it expired 11 days ago"]
    assert only(result)["days_left"] == -11


async def test_one_of_an_authority_that_nobody_trusts(hosts: Hosts, check: Check) -> None:
    await hosts.serve("shop.example", trustme.CA().issue_cert("shop.example"))
    assert only(await check("shop.example"))["problems"] == [
        "its issuer is not one I trust, or the server leaves out a certificate of the chain"
    ]


async def test_a_self_signed_one(hosts: Hosts, check: Check) -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with ca.cert_pem.tempfile() as cert, ca.private_key_pem.tempfile() as key:
        context.load_cert_chain(cert, key)
    await hosts.answer("shop.example", lambda _: None, context=context)
    found = only(await check("shop.example"))
    assert found["valid"] is False
    assert "it is self-signed" in found["problems"]


async def test_one_for_another_host_says_for_which(hosts: Hosts, check: Check) -> None:
    names = [f"{letter}.example" for letter in "abcdef"]
    await hosts.serve("shop.example", hosts.authority.issue_cert(*names))
    assert only(await check("shop.example"))["problems"] == [
        "it is not for `shop.example` but for `a.example`, `b.example`, `c.example`, `d.example` "
        "and 2 more"
    ]


async def test_everything_that_is_wrong_is_told_at_once(hosts: Hosts, check: Check) -> None:
    bad = trustme.CA().issue_cert("a.example", not_after=datetime(2026, 1, 1, tzinfo=UTC))
    await hosts.serve("shop.example", bad)
    problems = only(await check("shop.example", now=datetime(2026, 1, 2, tzinfo=UTC)))["problems"]
    assert problems == [
        "it expired 1 day ago",
        "it is not for `shop.example` but for `a.example`",
        "its issuer is not one I trust, or the server leaves out a certificate of the chain",
    ]


async def test_who_speaks_no_tls_at_all(hosts: Hosts, check: Check) -> None:
    await hosts.answer("shop.example", lambda out: out.write(b"HTTP/1.1 400 Bad\r\n\r\n"))
    found = only(await check("shop.example"))
    assert found == {
        "host": "shop.example",
        "valid": False,
        "problems": ["TLS cannot be agreed on"],
    }


async def test_who_is_dead(hosts: Hosts, check: Check) -> None:
    hosts.internet.name("shop.example", [SHOP])
    hosts.internet.refuse(SHOP, 443)
    assert only(await check("shop.example"))["problems"] == ["connection refused"]
    assert only(await check("nobody.example"))["problems"] == ["its name cannot be resolved"]


async def test_who_never_answers_is_given_up(
    hosts: Hosts, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "_SECONDS", 0.1)
    await hosts.answer("shop.example", lambda _: None)
    assert only(await check("shop.example"))["problems"] == ["no answer within 0.1 s"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8443", "inner.example", "[::1]"])
async def test_the_private_network_is_not_looked_into(
    hosts: Hosts, check: Check, host: str
) -> None:
    await hosts.serve("inner.example", at=INNER)
    hosts.internet.name("localhost", ["127.0.0.1"])
    with pytest.raises(ToolFailedError, match="I may not reach"):
        await check(host)
    assert hosts.internet.connected == []


async def test_what_the_configuration_names_is_looked_at_wherever_it_is(
    hosts: Hosts, check: Check
) -> None:
    await hosts.serve("inner.example", at=INNER)
    await hosts.serve("mail.internal", at=INNER, port=993)
    hosts.internet.name("dead.internal", ["10.0.0.1"])
    hosts.internet.refuse("10.0.0.1", 443)
    checks = [
        {"name": "wiki", "kind": "http", "url": "https://inner.example/health"},
        {"name": "plain", "kind": "http", "url": "http://inner.example/"},
        {"name": "dead", "kind": "http", "url": "https://dead.internal"},
    ]
    more = ["mail.internal:993", "inner.example"]

    result = await check(checks=checks, certificates=more)

    assert [(each["host"], each["valid"]) for each in result.data["certificates"]] == [
        ("inner.example", True),
        ("dead.internal", False),
        ("mail.internal:993", True),
    ]
    assert result.markdown.startswith("**1 of 3 not valid**")
    assert result.note is None
    assert only(await check("WIKI", checks=checks))["host"] == "inner.example"


async def test_very_many_are_told_in_part(hosts: Hosts, check: Check) -> None:
    checks = [
        {"name": f"s{each}", "kind": "http", "url": f"https://s{each}.example"}
        for each in range(23)
    ]
    result = await check(checks=checks)
    assert len(result.data["certificates"]) == 20
    assert result.note == "3 more are configured; ask for one by its host"


@pytest.mark.parametrize("host", ["a b", "https://shop.example/path", "shop.example:99999", "a@b"])
async def test_what_is_no_host_is_answered_with_how_one_is_written(
    check: Check, host: str
) -> None:
    with pytest.raises(InvalidArgumentsError) as caught:
        await check(host, certificates=["a.example"])
    assert "should be" in caught.value.user_message


async def test_without_a_host_and_without_https_it_asks_for_one(check: Check) -> None:
    checks = [{"name": "db", "kind": "tcp", "address": "db.example:5432"}]
    with pytest.raises(InvalidArgumentsError, match="Say which host"):
        await check(checks=checks)


def test_the_tool_is_offered_where_services_are_configured() -> None:
    assert TOOL.has_work is not None
    assert not TOOL.has_work(ServicesSettings())
    assert TOOL.has_work(ServicesSettings.model_validate({"certificates": ["a.example"]}))


@pytest.mark.parametrize("wrong", ["https://a.example", "a:99999", "a b", ""])
def test_settings_with_a_mistake_are_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        ServicesSettings.model_validate({"certificates": [wrong]})
