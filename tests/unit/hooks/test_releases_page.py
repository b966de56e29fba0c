"""docs/RELEASES.md: its configuration can be loaded, its commands are taken by the hook."""

import asyncio
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from time import time

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import lycatra_appservice
from lycatra_appservice.app.tool_secrets import secrets_in
from lycatra_appservice.db.migrate import migrate
from lycatra_appservice.db.open import open_database
from lycatra_appservice.hooks.open_hooks import open_hooks
from lycatra_appservice.hooks.routes import Hooks
from lycatra_appservice.ops.metrics import Metrics
from lycatra_appservice.toolkit.base import ToolSettings
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.turns.inbox import Inbox
from tests.support.config_folder import SMALLEST, load
from tests.support.hook_senders import CI_SECRET, GITHUB_SECRET

PAGE = (Path(lycatra_appservice.__file__).parents[1] / "docs" / "RELEASES.md").read_text("utf-8")
EXAMPLE = Path(lycatra_appservice.__file__).parents[1] / "example-config.yaml"


def blocks(kind: str) -> Sequence[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def settings_of(folder: Path, text: str) -> UpdatesSettings:
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "github-token").write_text("the-token-of-github\n")
    (secrets / "github-hook").write_text(f"{GITHUB_SECRET}\n")
    (secrets / "ci-hook").write_text(f"{CI_SECRET}\n")
    sections: dict[str, type[ToolSettings]] = {
        each.name: each.settings for each in discover().namespaces
    }
    found = load(folder, SMALLEST + text, tools=sections).tool_settings["updates"]
    assert isinstance(found, UpdatesSettings)
    return found


def test_the_configuration_of_the_page_is_right_and_its_secrets_are_known(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, blocks("yaml")[0])

    assert [each.kind for each in settings.watch] == ["github", "github", "image", "atom", "hook"]
    assert {*secrets_in(settings)} >= {"the-token-of-github", GITHUB_SECRET, CI_SECRET}
    places = {str(each) for each in settings.allowed_targets}
    assert places >= {"git.example.org:443", "registry-1.docker.io:443", "mail.example.org:443"}


def test_what_the_example_has_for_it_is_right_too(tmp_path: Path) -> None:
    text = EXAMPLE.read_text("utf-8")
    part = text[text.index("#tools:\n") : text.index("  #logs:\n")]
    lines = [re.sub(r"^(\s*)#(?! )", r"\1", line) for line in part.splitlines()]
    settings = settings_of(tmp_path, "\n".join(lines) + "\n")

    assert [each.name for each in settings.watch] == ["shop", "wiki", "cache", "mail", "api"]
    assert settings.watch[0].version_of("v1.4.2") == "1.4.2"


@pytest.mark.skipif(
    not (shutil.which("openssl") and shutil.which("curl")), reason="needs openssl and curl"
)
async def test_the_commands_of_the_page_tell_of_a_version(tmp_path: Path) -> None:
    [commands] = [each for each in blocks("sh") if "curl" in each]
    known = discover().namespaces
    sections = {each.name: each.settings() for each in known}
    sections["updates"] = settings_of(tmp_path, blocks("yaml")[0])
    database = (await open_database(f"sqlite:///{tmp_path / 'lycatra.db'}")).database
    await migrate(database)
    hooks = Hooks(open_hooks(known, sections), Inbox(database), Metrics(), time)
    app = web.Application()
    app.add_routes(hooks.routes())
    async with TestServer(app) as server, asyncio.timeout(30):
        process = await asyncio.create_subprocess_exec(
            *("sh", "-ec", commands),
            cwd=tmp_path,
            env={**os.environ, "LYCATRA": str(server.make_url("")).rstrip("/")},
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
    await database.close()

    assert (process.returncode, said) == (0, b'{"status": "stored"}')
