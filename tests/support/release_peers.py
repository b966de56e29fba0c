"""Peers that publish releases: one that speaks GitHub's API, and a registry of images."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.toolbench import NOW

DIGEST = f"sha256:{'a1' * 32}"
TAGS = "/v2/me/shop/tags/list"


def record(tag: str, **more: Any) -> dict[str, Any]:
    """A release as GitHub's API has it."""
    return {
        "tag_name": tag,
        "name": tag,
        "body": "",
        "html_url": f"https://forge.example/me/shop/releases/tag/{tag}",
        "published_at": NOW.isoformat(),
        "draft": False,
        "prerelease": False,
        **more,
    }


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Peer:
    """A web server of somebody else, which remembers what it was asked."""

    def __init__(self, route: str) -> None:
        self.requests: list[web.Request] = []
        self.answers: list[web.StreamResponse | Answer] = []  # said first, once each
        app = web.Application()
        app.router.add_route("*", route, self._asked)
        self.server = TestServer(app)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raise NotImplementedError

    async def _asked(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.answers:
            said = self.answers.pop(0)
            return said if isinstance(said, web.StreamResponse) else await said(request)
        return await self.answer(request)

    def url(self, path: str = "") -> str:
        return str(self.server.make_url(path)).rstrip("/")


class Forge(Peer):
    """Speaks GitHub's API for one repository, with ETags."""

    def __init__(self) -> None:
        super().__init__("/repos/me/shop/releases")
        self.releases: list[Any] = []
        self.token: str | None = None
        self.headers: dict[str, str] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"message": "Bad credentials"}, status=401)
        text = json.dumps(self.releases)
        etag = f'W/"{hash(text)}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        return web.json_response(text=text, headers={"ETag": etag, **self.headers})

    def publish(self, tag: str, **more: Any) -> dict[str, Any]:
        made = record(tag, **more)
        self.releases.insert(0, made)
        return made

    def source(self, **more: Any) -> dict[str, Any]:
        return {
            "name": "shop",
            "kind": "github",
            "repository": "me/shop",
            "base_url": self.url(),
            "every": "1m",
            **more,
        }


@asynccontextmanager
async def forge(*tags: str) -> AsyncIterator[Forge]:
    made = Forge()
    for tag in tags:
        made.publish(tag)
    async with made.server:
        yield made


class Registry(Peer):
    """Speaks the distribution API for one image, in pages of two tags."""

    def __init__(self) -> None:
        super().__init__("/{path:.*}")
        self.tags: list[str] = ["latest", "1.0.0", "1", "1.0"]
        self.password: str | None = None  # of `me`; an empty one lets everybody have a token
        self.basic = False
        self.realm = self.url

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            return self._token(request)
        if self.password is not None and request.headers.get("Authorization") not in (
            self._login() if self.basic else "Bearer the-token",
        ):
            realm = f'realm="{self.realm()}/token",service="reg",scope="repository:x:pull"'
            challenge = 'Basic realm="reg"' if self.basic else f"Bearer {realm}"
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        if request.path == TAGS:
            return self._page(request)
        headers = {"Docker-Content-Digest": DIGEST}
        return web.Response(status=200 if request.method == "HEAD" else 405, headers=headers)

    def _page(self, request: web.Request) -> web.Response:
        start = int(request.query.get("last", "0"))
        page = self.tags[start : start + 2]
        more = start + 2 < len(self.tags)
        link = f'<{TAGS}?n=2&last={start + 2}>; rel="next"'
        headers = {"Link": link} if more else {"ETag": '"one"'}
        return web.json_response({"name": "me/shop", "tags": page}, headers=headers)

    def _token(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        assert asked == {"service": "reg", "scope": "repository:me/shop:pull"}
        if self.password and request.headers.get("Authorization") != self._login():
            return web.json_response({}, status=401)
        return web.json_response({"access_token": "the-token"})

    def _login(self) -> str:
        return f"Basic {b64encode(f'me:{self.password}'.encode()).decode()}"

    def source(self, **more: Any) -> dict[str, Any]:
        return {
            "name": "shop",
            "kind": "image",
            "image": "registry.example/me/shop",
            "registry": self.url(),
            "every": "1m",
            **more,
        }
