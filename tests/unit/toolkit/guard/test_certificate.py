"""What certificate a host shows: who may be asked for it, and whether it would be trusted."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from lycatra_appservice.targets import read_target
from lycatra_appservice.toolkit.base import OutboundError, OutboundRefusedError
from lycatra_appservice.toolkit.guard.allowance import Allowance
from lycatra_appservice.toolkit.guard.outbound import Outbound
from tests.support.small_internet import SmallInternet
from tests.unit.toolkit.guard.conftest import MIRROR, SHOP

AUTHORITY = trustme.CA()


def outbound(internet: SmallInternet, allowed: Sequence[str] = ()) -> Outbound:
    allowance = Allowance(read_target(each) for each in allowed)
    return Outbound(allowance, log=logging.getLogger(), make_resolver=lambda: internet.names)


@pytest.fixture(autouse=True)
def _trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this authority, instead of the machine's."""
    AUTHORITY.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


@asynccontextmanager
async def tls_server(
    *names: str, authority: trustme.CA = AUTHORITY
) -> AsyncIterator[tuple[int, list[str | None]]]:
    """Gives its port, and the names that it is asked for as they come."""
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    context.sni_callback = lambda _, name, __: asked.append(name)

    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.transport.abort()

    server = await asyncio.start_server(end, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


async def test_a_public_host_shows_its_certificate_by_the_name_it_is_asked_for(
    internet: SmallInternet,
) -> None:
    async with tls_server("shop.example") as (port, asked):
        internet.lead(SHOP, 443, port)
        shown = await outbound(internet).certificate("Shop.Example", 443)
    assert shown.protocol == "TLSv1.3"
    assert ssl.DER_cert_to_PEM_cert(shown.data).startswith("-----BEGIN CERTIFICATE")
    assert shown.refusal is None
    assert set(asked) == {"shop.example"}


async def test_an_international_name_is_asked_for_as_it_is_resolved(
    internet: SmallInternet,
) -> None:
    internet.name("xn--bcher-kva.example", [SHOP])
    async with tls_server("xn--bcher-kva.example") as (port, asked):
        internet.lead(SHOP, 443, port)
        await outbound(internet).certificate("bücher.example", 443)
    assert set(asked) == {"xn--bcher-kva.example"}


@pytest.mark.parametrize(
    ("authority", "name", "code"),
    [(AUTHORITY, "other.example", 62), (trustme.CA(), "shop.example", 20)],
)
async def test_what_is_not_trusted_is_shown_with_the_reason(
    internet: SmallInternet, authority: trustme.CA, name: str, code: int
) -> None:
    async with tls_server(name, authority=authority) as (port, _):
        internet.lead(SHOP, 443, port)
        shown = await outbound(internet).certificate("shop.example", 443)
    assert shown.data
    assert shown.refusal is not None
    assert shown.refusal.code == code
    assert shown.refusal.words


async def test_an_address_that_does_not_answer_is_followed_by_the_next(
    internet: SmallInternet,
) -> None:
    internet.name("shop.example", [MIRROR, SHOP])
    internet.refuse(MIRROR, 443)
    async with tls_server("shop.example") as (port, _):
        internet.lead(SHOP, 443, port)
        await outbound(internet).certificate("shop.example", 443)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("shop.example", 8443),  # another port of the internet
        ("localhost", 443),
        ("127.0.0.1", 443),
        ("::1", 443),
        ("169.254.169.254", 443),
        ("inner.example", 443),
        ("64:ff9b::7f00:1", 443),
    ],
)
async def test_what_is_not_open_is_not_even_connected_to(
    internet: SmallInternet, host: str, port: int
) -> None:
    internet.name("inner.example", ["10.0.0.7"])
    with pytest.raises(OutboundRefusedError):
        await outbound(internet).certificate(host, port)
    assert internet.connected == []


@pytest.mark.parametrize(
    "host", ["", "a b", "user@shop.example", "shop.example/x", "sh\\op", "0x7f.1"]
)
async def test_what_is_no_host_is_refused(internet: SmallInternet, host: str) -> None:
    with pytest.raises(OutboundError):
        await outbound(internet).certificate(host, 443)
    assert internet.connected == []


async def test_a_place_that_is_listed_is_reached_on_its_port(internet: SmallInternet) -> None:
    internet.name("mail.internal", ["10.0.0.9"])
    async with tls_server("mail.internal") as (port, _):
        internet.lead("10.0.0.9", 993, port)
        http = outbound(internet, ["mail.internal:993"])
        assert await http.certificate("mail.internal", 993)


async def test_who_speaks_no_tls_is_an_error_in_words(internet: SmallInternet) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read()
        writer.transport.abort()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    async with server:
        internet.lead(SHOP, 443, server.sockets[0].getsockname()[1])
        with pytest.raises(OutboundError) as caught:
            await outbound(internet).certificate("shop.example", 443)
    assert caught.value.phrase == "TLS cannot be agreed on"
