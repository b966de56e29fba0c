"""POST /hooks/<name>, over HTTP and with a real inbox: what is taken, and what is not."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.pytest_plugin import AiohttpClient
from aiohttp.test_utils import TestClient

from lycatra_appservice.db.migrate import UpgradableDatabase, migrate
from lycatra_appservice.db.open import open_database
from lycatra_appservice.db.statements import parse_statement
from lycatra_appservice.hooks.open_hooks import open_hooks
from lycatra_appservice.hooks.routes import MOST_AT_ONCE, Hooks
from lycatra_appservice.toolkit.base import Accepted, Hook, Namespace
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.turns.inbox import Inbox
from tests.support.hook_senders import (
    CI_SECRET,
    GITHUB_SECRET,
    ci_request,
    github_request,
    published,
)
from tests.support.toolbench import NOW

Http = TestClient[web.Request, web.Application]
AT = NOW.timestamp()
WATCHED = [
    {"name": "shop", "kind": "github", "repository": "me/shop"},
    {"name": "api", "kind": "hook"},
]
SECRETS = {"github": {"secret": GITHUB_SECRET}, "updates": {"secret": CI_SECRET}}
NEWS = {"service": "api", "version": "1.4.2"}


@dataclass
class Figures:
    """What is counted."""

    called: list[tuple[str, str]] = field(default_factory=list)

    def hook_called(self, hook: str, outcome: str) -> None:
        self.called.append((hook, outcome))

    @property
    def outcomes(self) -> list[str]:
        return [outcome for _, outcome in self.called]


@dataclass
class WayIn:
    """The route with what stands behind it."""

    http: Http
    database: UpgradableDatabase
    figures: Figures

    async def post(self, name: str, request: tuple[bytes, Mapping[str, str]]) -> ClientResponse:
        body, headers = request
        return await self.http.post(f"/hooks/{name}", data=BytesIO(body), headers=headers)

    async def github(self, said: Any, **more: Any) -> int:
        return (await self.post("github", github_request(said, **more))).status

    async def ci(self, said: Any, **more: Any) -> int:
        return (await self.post("updates", ci_request(said, **{"at": AT, **more}))).status

    async def stored(self) -> Sequence[Mapping[str, Any]]:
        statement = parse_statement("rows", "SELECT * FROM turn ORDER BY id")
        return [dict(row) for row in await self.database.fetch(statement)]


def namespaces(extra: Sequence[Hook] = ()) -> Iterator[Namespace]:
    yield from discover().namespaces
    yield Namespace(name="extra", display_name="X", summary="Of the tests.", hooks=extra)


def hooks_of(inbox: Inbox, figures: Figures, extra: Sequence[Hook] = (), **section: Any) -> Hooks:
    known = list(namespaces(extra))
    settings = {each.name: each.settings() for each in known}
    written = {"watch": WATCHED, "hooks": SECRETS, **section}
    settings["updates"] = UpdatesSettings.model_validate(written)
    return Hooks(open_hooks(known, settings), inbox, figures, lambda: AT, read_seconds=5)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[UpgradableDatabase]:
    database = (await open_database(f"sqlite:///{tmp_path / 'lycatra.db'}")).database
    await migrate(database)
    yield database
    await database.close()


async def opened(
    client: AiohttpClient, database: UpgradableDatabase, extra: Sequence[Hook] = (), **section: Any
) -> WayIn:
    figures = Figures()
    application = web.Application()
    application.add_routes(hooks_of(Inbox(database), figures, extra, **section).routes())
    return WayIn(await client(application), database, figures)


@pytest.fixture
async def way_in(aiohttp_client: AiohttpClient, database: UpgradableDatabase) -> WayIn:
    return await opened(aiohttp_client, database)


# --- what is taken ---


async def test_a_release_that_github_tells_is_stored_before_it_reads_202(way_in: WayIn) -> None:
    answer = await way_in.post("github", github_request(published("v1.4.2", body="x" * 9000)))

    assert (answer.status, await answer.json()) == (202, {"status": "stored"})
    [turn] = await way_in.stored()
    assert turn["trigger_id"].startswith("hook:github:")
    kept = json.loads(turn["input"])
    assert kept["hook"] == "github"
    assert kept["data"]["release"]["tag_name"] == "v1.4.2"
    assert len(turn["input"]) < 6000
    assert GITHUB_SECRET not in turn["input"]
    assert way_in.figures.called == [("github", "stored")]


async def test_it_is_not_answered_before_it_is_stored(way_in: WayIn) -> None:
    async with way_in.database.transaction():
        telling = asyncio.create_task(way_in.github(published("v1")))
        for _ in range(20):
            await way_in.http.post("/hooks/nobody")
        assert not telling.done()
    async with asyncio.timeout(10):
        assert await telling == 202


async def test_a_ci_tells_of_a_version(way_in: WayIn) -> None:
    assert await way_in.ci({**NEWS, "title": "Pay", "url": "https://ci.example/7"}) == 202
    [turn] = await way_in.stored()
    assert json.loads(turn["input"])["data"]["version"] == "1.4.2"


@pytest.mark.parametrize("delivery", ["one", "another"])
async def test_what_is_told_again_is_no_second_turn(way_in: WayIn, delivery: str) -> None:
    """The delivery's id is not signed: what comes again under another one is still the same."""
    assert await way_in.github(published("v1")) == 202
    assert await way_in.github(published("v1"), delivery=delivery) == 202
    assert len(await way_in.stored()) == 1
    assert way_in.figures.outcomes == ["stored", "known"]


async def test_two_deliveries_at_once_are_one_turn(way_in: WayIn) -> None:
    statuses = await asyncio.gather(*(way_in.github(published("v1")) for _ in range(5)))
    assert statuses == [202] * 5
    assert len(await way_in.stored()) == 1


async def test_a_ci_that_tells_again_under_its_own_id_is_known(way_in: WayIn) -> None:
    assert await way_in.ci({**NEWS, "id": "build 7"}) == 202
    assert await way_in.ci({**NEWS, "id": "build 7"}, at=AT + 60) == 202
    assert await way_in.ci({**NEWS, "id": "build 8"}) == 202
    assert len(await way_in.stored()) == 2


@pytest.mark.parametrize(
    ("said", "event"),
    [
        ({"zen": "Keep it simple."}, "ping"),
        ({"ref": "main"}, "push"),
        (published("v1", repository="me/other"), "release"),
        (published("v1", draft=True), "release"),
        (published("v1", prerelease=True), "release"),
        ({**published("v1"), "action": "deleted"}, "release"),
        ({**published("v1"), "action": ["published"]}, "release"),
    ],
)
async def test_what_is_right_and_of_no_interest_is_not_kept(
    way_in: WayIn, said: Any, event: str
) -> None:
    assert await way_in.github(said, event=event) == 200
    assert await way_in.stored() == []
    assert way_in.figures.outcomes == ["nothing"]


@pytest.mark.parametrize("secret", [GITHUB_SECRET, "the-secret-of-before"])
async def test_while_a_secret_is_changed_both_count(
    aiohttp_client: AiohttpClient, database: UpgradableDatabase, secret: str
) -> None:
    both = {"github": {"secret": GITHUB_SECRET, "previous_secret": "the-secret-of-before"}}
    way_in = await opened(aiohttp_client, database, hooks=both)
    assert await way_in.github(published("v1"), secret=secret) == 202


# --- what is not ---


def changed(name: str, value: str | None) -> Mapping[str, str]:
    headers = dict(github_request(published("v1"))[1])
    headers.pop(name, None)
    return headers if value is None else {**headers, name: value}


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "sha256=",
        f"sha256={'0' * 64}",
        "sha1=3f6c8a",
        "sha256=schlüssel-ключ",
        github_request(published("v1"), secret="another-secret-of-somebody")[1][
            "X-Hub-Signature-256"
        ],
        github_request(published("v2"))[1]["X-Hub-Signature-256"],
        github_request(published("v1"))[1]["X-Hub-Signature-256"][len("sha256=") :],
    ],
)
async def test_a_wrong_signature_is_refused_without_a_reason(
    way_in: WayIn, signature: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    body, _ = github_request(published("v1"))
    answer = await way_in.post("github", (body, changed("X-Hub-Signature-256", signature)))

    assert (answer.status, await answer.json()) == (401, {"error": "not taken"})
    assert await way_in.stored() == []
    assert way_in.figures.outcomes == ["refused"]
    [logged] = [each for each in caplog.records if each.message == "hook_refused"]
    assert (logged.levelno, vars(logged)["hook"]) == (logging.WARNING, "github")
    assert GITHUB_SECRET not in str(vars(logged))


@pytest.mark.parametrize("off", [-301, 301, -1e9, 1e9])
async def test_a_signature_of_another_time_is_refused(way_in: WayIn, off: float) -> None:
    assert await way_in.ci(NEWS, at=AT + off) == 401
    assert await way_in.stored() == []


@pytest.mark.parametrize("off", [-299, 0, 299])
async def test_clocks_may_differ_by_five_minutes(way_in: WayIn, off: float) -> None:
    assert await way_in.ci(NEWS, at=AT + off) == 202


@pytest.mark.parametrize(
    "header",
    [
        "",
        "v1={v1}",
        "t={t}",
        "t=,v1={v1}",
        "t={t},t={t},v1={v1}",
        "t=-{t},v1={v1}",
        "t={t}0,v1={v1}",
        "t=²,v1={v1}",
        "t={t},v1={v1}0",
        "t={t},v0={v1}",
    ],
)
async def test_a_header_that_is_written_otherwise_is_refused(way_in: WayIn, header: str) -> None:
    body, headers = ci_request(NEWS, at=AT)
    v1 = headers["X-Lycatra-Signature"].partition("v1=")[2]
    written = header.format(t=int(AT), v1=v1)
    answer = await way_in.post("updates", (body, {"X-Lycatra-Signature": written}))
    assert answer.status == 401


async def test_a_sender_that_changes_its_secret_signs_twice(way_in: WayIn) -> None:
    body, headers = ci_request(NEWS, at=AT)
    at, _, v1 = headers["X-Lycatra-Signature"].partition(",")
    both = {"X-Lycatra-Signature": f"{at}, v1={'0' * 64}, {v1}"}
    assert (await way_in.post("updates", (body, both))).status == 202


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        (b"payload=%7B%7D", 400, "the body is not JSON"),
        (b"[" * 100_000, 400, "the body is not JSON"),
        (b"[]", 400, "the body is no JSON object"),
        ({}, 400, "there is no repository or no release in it"),
        ({**published("v1"), "release": []}, 400, "there is no repository or no release"),
        ({**published("v1"), "repository": {"full_name": 7}}, 400, "there is no repository"),
    ],
)
async def test_signed_garbage_is_told_what_is_wrong(
    way_in: WayIn, said: Any, status: int, reason: str
) -> None:
    answer = await way_in.post("github", github_request(said))
    assert answer.status == status
    assert reason in (await answer.json())["error"]
    assert await way_in.stored() == []


async def test_a_delivery_without_an_event_is_garbage(way_in: WayIn) -> None:
    body, _ = github_request(published("v1"))
    assert (await way_in.post("github", (body, changed("X-GitHub-Event", None)))).status == 400


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        ({"service": "api"}, 400, "wrong or missing: version"),
        ({**NEWS, "version": "../1"}, 400, "wrong or missing: version"),
        ({**NEWS, "url": "javascript:1", "notes": 7}, 400, "wrong or missing: notes, url"),
        ({**NEWS, "surprise": 1}, 400, "wrong or missing: surprise"),
        ({**NEWS, "service": "other"}, 422, "no source in `watch` has this service"),
        (b"no", 400, "the body is not JSON"),
    ],
)
async def test_a_ci_reads_what_is_wrong(
    way_in: WayIn, said: Any, status: int, reason: str
) -> None:
    answer = await way_in.post("updates", ci_request(said, at=AT))
    assert answer.status == status
    assert reason in (await answer.json())["error"]


@pytest.mark.parametrize("chunked", [True, False])
async def test_what_is_too_large_is_not_read_to_its_end(way_in: WayIn, chunked: bool) -> None:
    body, headers = ci_request(b" " * 70_000, at=AT)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    data: Any = pieces() if chunked else BytesIO(body)
    answer = await way_in.http.post("/hooks/updates", data=data, headers=headers)

    assert answer.status == 413
    assert way_in.figures.outcomes == ["too_large"]


async def test_an_unknown_hook_and_one_without_work_look_alike(
    aiohttp_client: AiohttpClient, database: UpgradableDatabase
) -> None:
    way_in = await opened(aiohttp_client, database, hooks={"github": {"secret": GITHUB_SECRET}})
    unknown = await way_in.post("nobody", ci_request(NEWS, at=AT))
    without = await way_in.post("updates", ci_request(NEWS, at=AT))

    assert unknown.status == without.status == 404
    assert await unknown.read() == await without.read()
    assert {**unknown.headers, "Date": ""} == {**without.headers, "Date": ""}


async def test_while_the_database_is_away_it_is_to_be_told_again(way_in: WayIn) -> None:
    await way_in.database.close()
    answer = await way_in.post("github", github_request(published("v1")))

    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert way_in.figures.outcomes == ["unavailable"]


async def test_a_hook_that_fails_ends_no_process_and_tells_nobody_why(
    aiohttp_client: AiohttpClient, database: UpgradableDatabase
) -> None:
    def fails(*_: Any) -> Accepted | None:
        raise SystemExit("secret detail")

    async def never(*_: Any) -> Sequence[Any]:
        raise AssertionError

    way_in = await opened(aiohttp_client, database, [Hook(name="ours", accept=fails, take=never)])
    answer = await way_in.http.post("/hooks/ours")

    assert answer.status == 500
    assert "secret" not in await answer.text()
    assert way_in.figures.outcomes == ["failed"]


async def test_ids_of_any_kind_name_turns(
    aiohttp_client: AiohttpClient, database: UpgradableDatabase
) -> None:
    ids = iter(["plain-1", "\0 😀" * 500, "\0 😀" * 500])

    async def never(*_: Any) -> Sequence[Any]:
        raise AssertionError

    hook = Hook(
        name="ours", accept=lambda *_: Accepted(id=next(ids), data={"n": "\0"}), take=never
    )
    way_in = await opened(aiohttp_client, database, [hook])
    said = [(await (await way_in.http.post("/hooks/ours")).json())["status"] for _ in range(3)]

    assert said == ["stored", "stored", "known"]
    assert (await way_in.stored())[0]["trigger_id"] == "hook:ours:plain-1"


async def test_bodies_that_do_not_come_keep_nobody_out_for_ever(
    aiohttp_client: AiohttpClient, database: UpgradableDatabase
) -> None:
    figures = Figures()
    hooks = Hooks(
        open_hooks(
            list(discover().namespaces),
            {
                **{each.name: each.settings() for each in discover().namespaces},
                "updates": UpdatesSettings.model_validate({"watch": WATCHED, "hooks": SECRETS}),
            },
        ),
        Inbox(database),
        figures,
        lambda: AT,
        read_seconds=0.5,
    )
    application = web.Application()
    application.add_routes(hooks.routes())
    http = await aiohttp_client(application)
    never = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    async def waiting() -> int:
        return (await http.post("/hooks/updates", data=slowly())).status

    slow = [asyncio.create_task(waiting()) for _ in range(MOST_AT_ONCE)]
    async with asyncio.timeout(20):
        while (await http.post("/hooks/updates", data=b"")).status != 503:
            pass  # until all of them have begun
        assert await asyncio.gather(*slow) == [408] * MOST_AT_ONCE
        body, headers = ci_request(NEWS, at=AT)
        assert (await http.post("/hooks/updates", data=body, headers=headers)).status == 202
    never.set()


async def test_a_body_that_cannot_be_unpacked_is_garbage(way_in: WayIn) -> None:
    body, headers = ci_request(NEWS, at=AT)
    answer = await way_in.post("updates", (body, {**headers, "Content-Encoding": "gzip"}))
    assert answer.status == 400


async def test_only_post_is_a_hook(way_in: WayIn) -> None:
    assert (await way_in.http.get("/hooks/github")).status == 405
    assert (await way_in.http.get("/hooks/nobody")).status == 405
