"""What stands for GitHub in the demo: releases of the imaginary service, made by `@release`."""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

import aiohttp
from aiohttp import web

from lycatra_appservice.model import JSON
from lycatra_appservice.private_file import write_private

REPOSITORY: Final = "demo/web"
_VERSION: Final = re.compile(r"v[0-9]{1,4}(\.[0-9]{1,4}){0,2}")
_NOTES: Final = "Made by `@release`. Its notes would stand here: what is new, and what to mind."


class NotReleasedError(Exception):
    """A sentence that says why there is no such release now."""


class ReleaseServer:
    """Answers as GitHub's API does and tells of each release, signed. Use as a context manager.

    What was released is kept in `folder`, and is there again in the next demo.
    """

    def __init__(self, folder: Path, port: int, hook_url: str, secret: str) -> None:
        self._kept = folder / "releases.json"
        self._port = port
        self._hook_url = hook_url
        self._secret = secret

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get(f"/repos/{REPOSITORY}/releases", self._answer)
        app.router.add_get(f"/{REPOSITORY}/releases/tag/{{tag}}", self._page)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()

    async def release(self, version: str) -> None:
        """Release it and tell so. Raises NotReleasedError."""
        if not _VERSION.fullmatch(version):
            raise NotReleasedError("Say which version, such as: @release v2   (v3 is broken)")
        releases = self._releases()
        if any(each["tag_name"] == version for each in releases):
            raise NotReleasedError(f"{version} was released already; take another number.")
        made: JSON = {
            "id": len(releases) + 1,
            "tag_name": version,
            "name": "A release of the demo",
            "body": _NOTES,
            "html_url": f"http://127.0.0.1:{self._port}/{REPOSITORY}/releases/tag/{version}",
            "draft": False,
            "prerelease": False,
            "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_private(self._kept, json.dumps([made, *releases]))
        await self._tell(made)

    async def _tell(self, made: JSON) -> None:
        body = json.dumps(
            {"action": "published", "release": made, "repository": {"full_name": REPOSITORY}}
        ).encode()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "release",
            "X-GitHub-Delivery": secrets.token_hex(16),
            "X-Hub-Signature-256": f"sha256={_signature(self._secret, body)}",
        }
        try:
            async with (
                aiohttp.ClientSession(headers=headers) as http,
                http.post(self._hook_url, data=body) as answer,
            ):
                if answer.status >= 300:
                    raise NotReleasedError(f"The hook was answered with HTTP {answer.status}.")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotReleasedError("The hook was not answered; see lycatra.log.") from error

    async def _answer(self, request: web.Request) -> web.Response:
        text = json.dumps(self._releases())
        tag = f'"{hashlib.sha256(text.encode()).hexdigest()}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        return web.json_response(text=text, headers={"ETag": tag})

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(text=f"web {request.match_info['tag']}\n\n{_NOTES}\n")

    def _releases(self) -> Sequence[JSON]:
        if not self._kept.exists():
            return []
        found: Sequence[JSON] = json.loads(self._kept.read_text(encoding="utf-8"))
        return found


def _signature(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
