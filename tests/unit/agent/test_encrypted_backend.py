"""A model server behind TLS: an authority of one's own, and a proxy that sees nothing."""

import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import trustme

from lycatra_appservice.agent.backend import ModelUnreachableError
from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.agent.messages import UserMessage
from tests.support.connect_proxy import ConnectProxy, connect_proxy
from tests.support.model_server import ModelServer, model_server, says
from tests.unit.agent.conftest import OpenBackend

KEY = "canary-of-the-key"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
async def server(authority: trustme.CA) -> AsyncIterator[ModelServer]:
    """Reached as 127.0.0.1, and by way of a proxy as model.test."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "model.test").configure_cert(context)
    async with model_server(encrypted=context) as running:
        yield running


@pytest.fixture
async def proxy(server: ModelServer) -> AsyncIterator[ConnectProxy]:
    async with connect_proxy(server.port) as running:
        yield running


async def ask(backend: ChatCompletionsBackend) -> str:
    async with aclosing(
        backend.stream([UserMessage(text="hi")], (), tool_choice="auto")
    ) as deltas:
        return "".join([each.text async for each in deltas])


async def test_an_authority_of_ones_own_is_trusted_by_its_file(
    server: ModelServer, backend_with: OpenBackend, ca_file: Path
) -> None:
    server.will(says("Hello."))
    server.models = ["test-model"]
    backend = backend_with(ca_file=ca_file, api_key=KEY)
    assert await ask(backend) == "Hello."
    assert await backend.probe() == "reachable; it has test-model"
    assert server.asked[0].headers["Authorization"] == f"Bearer {KEY}"


async def test_without_the_file_nothing_is_sent(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    with pytest.raises(ModelUnreachableError, match="certificate"):
        await ask(backend_with(api_key=KEY))
    assert server.asked == []


async def test_only_the_authority_of_the_file_counts(
    server: ModelServer, backend_with: OpenBackend, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    with pytest.raises(ModelUnreachableError, match="certificate"):
        await ask(backend_with(ca_file=other))
    assert server.asked == []


async def test_a_certificate_for_another_name_is_refused(
    server: ModelServer, backend_with: OpenBackend, ca_file: Path
) -> None:
    other_name = server.base_url.replace("127.0.0.1", "localhost")
    with pytest.raises(ModelUnreachableError, match="ertificate"):
        await ask(backend_with(base_url=other_name, ca_file=ca_file))
    assert server.asked == []


def through(proxy: ConnectProxy, server: ModelServer) -> dict[str, str]:
    """A server that only the proxy can find."""
    return {
        "base_url": f"https://model.test:{server.port}/v1",
        "proxy": f"http://me:word@127.0.0.1:{proxy.port}",
        "api_key": KEY,
    }


async def test_a_proxy_tunnels_and_sees_neither_key_nor_question(
    server: ModelServer, proxy: ConnectProxy, backend_with: OpenBackend, ca_file: Path
) -> None:
    server.will(says("Hello."))
    backend = backend_with(**through(proxy, server), ca_file=ca_file)
    assert await ask(backend) == "Hello."
    [asked] = proxy.asked
    assert asked.startswith(f"CONNECT model.test:{server.port} ")
    assert "proxy-authorization: basic bwu6d29yza==" in asked.lower()
    assert KEY not in asked
    assert KEY.encode() not in proxy.carried
    assert len(proxy.carried) > 1000
    [request] = server.asked
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert "Proxy-Authorization" not in request.headers


async def test_behind_a_proxy_too_only_the_authority_of_the_file_counts(
    server: ModelServer, proxy: ConnectProxy, backend_with: OpenBackend
) -> None:
    with pytest.raises(ModelUnreachableError, match="certificate"):
        await ask(backend_with(**through(proxy, server)))
    assert server.asked == []


@pytest.mark.parametrize("status", [407, 403, 502])
async def test_a_proxy_that_refuses_is_told_without_its_password(
    server: ModelServer,
    proxy: ConnectProxy,
    backend_with: OpenBackend,
    ca_file: Path,
    status: int,
) -> None:
    proxy.status = status
    with pytest.raises(ModelUnreachableError) as raised:
        await ask(backend_with(**through(proxy, server), ca_file=ca_file))
    assert str(status) in str(raised.value)
    assert "word" not in str(raised.value)
    assert server.asked == []
