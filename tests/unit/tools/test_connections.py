"""No tool opens a connection of its own: what goes out goes through the guard."""

import ast
from pathlib import Path

import pytest

import lycatra_appservice.tools

TOOLS = Path(lycatra_appservice.tools.__file__).parent

MODULES = {
    *(
        "aiodns",
        "aiodocker",
        "aiohttp",
        "asyncore",
        "ftplib",
        "http",
        "httpx",
        "httpx2",
        "imaplib",
        "lightkube",
        "nntplib",
    ),
    *("poplib", "pycares", "requests", "smtplib", "socket", "socketserver", "ssl", "telnetlib"),
    *("urllib.request", "urllib3", "websockets", "xmlrpc", "importlib", "ctypes", "subprocess"),
}
CALLS = {
    *("open_connection", "open_unix_connection", "create_connection", "create_unix_connection"),
    *("create_datagram_endpoint", "sock_connect", "getaddrinfo", "getnameinfo"),
    *("create_subprocess_exec", "create_subprocess_shell", "subprocess_exec", "subprocess_shell"),
    *("system", "popen", "urlopen", "__import__", "import_module", "Outbound"),
}
# With what and why. A program that an operator names has the rights that its owner gives it.
ALLOWED = {
    ("_process.py", "create_subprocess_exec"): "git, and checks that are configured",
    ("_process.py", "subprocess"): "what goes on when it ends us, which asyncio's would not",
    ("_docker_engine.py", "aiodocker"): "to the socket, or by a session of the guard",
    ("_docker_engine.py", "aiohttp"): "the errors that aiodocker lets through",
    ("_kubernetes_cluster.py", "lightkube"): "to the API of a kubeconfig, or of our own cluster",
    ("_kubernetes_cluster.py", "lightkube.core.exceptions"): "its errors",
    ("_kubernetes_cluster.py", "lightkube.resources.apps_v1"): "shapes of answers",
    ("_kubernetes_cluster.py", "lightkube.resources.core_v1"): "shapes of answers",
    ("_kubernetes_pods.py", "lightkube"): "how labels are asked for",
    ("_kubernetes_pods.py", "lightkube.core.client"): "shapes of questions",
    ("_kubernetes_pods.py", "lightkube.models.core_v1"): "shapes of answers",
    ("_kubernetes_pods.py", "lightkube.models.meta_v1"): "shapes of answers",
    ("_kubernetes_pods.py", "lightkube.resources.core_v1"): "shapes of answers",
    ("_kubernetes_rollout.py", "lightkube.models.apps_v1"): "shapes of answers",
    ("_kubernetes_rollout.py", "lightkube.resources.apps_v1"): "shapes of answers",
    ("_kubernetes_cluster.py", "httpx2"): "the errors that lightkube lets through",
}


def ways_out(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found |= {each.name for each in names if _is_way_out(each.name)}
            case ast.ImportFrom(module=str(module), names=names):
                whole = {f"{module}.{each.name}" for each in names}
                found |= {module} if _is_way_out(module) else set(filter(_is_way_out, whole))
                found |= {each.name for each in names} & CALLS - {"Outbound"}
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in CALLS:
                found.add(name)
    return found


def _is_way_out(module: str) -> bool:
    return any(module == each or module.startswith(f"{each}.") for each in MODULES)


@pytest.mark.parametrize(
    "path", sorted(TOOLS.rglob("*.py")), ids=lambda p: str(p.relative_to(TOOLS))
)
def test_a_shipped_tool_reaches_other_hosts_through_its_context_only(path: Path) -> None:
    name = str(path.relative_to(TOOLS))
    assert {each for each in ways_out(path.read_text()) if (name, each) not in ALLOWED} == set()


def test_every_exception_is_still_needed() -> None:
    used = {
        (str(path.relative_to(TOOLS)), each)
        for path in TOOLS.rglob("*.py")
        for each in ways_out(path.read_text())
    }
    assert used == set(ALLOWED)


@pytest.mark.parametrize(
    "source",
    [
        *("import aiohttp", "import aiohttp.client as a", "from aiohttp import ClientSession"),
        *("import socket", "from urllib import request", "import urllib.request", "import ssl"),
        *("import http.client", "from http import client", "asyncio.open_connection('h', 1)"),
        *("from asyncio import open_connection", "loop.create_connection(x)", "os.system('curl')"),
        *("importlib.import_module('socket')", "__import__('socket')", "Outbound(x)"),
    ],
)
def test_a_way_out_is_seen(source: str) -> None:
    assert ways_out(source)
