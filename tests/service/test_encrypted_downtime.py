"""Keys that were given out while nobody listened, with a Synapse that pushes them and one not."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from tests.support.encrypted_site import (
    PUSHES_KEYS,
    Phones,
    encryption,
    is_secret,
    pushed_in_vain,
    until_devices_ready,
    waiting_for_devices,
)
from tests.support.lycatra import Lycatra
from tests.support.proxy import Mode
from tests.support.site import Site, running_site
from tests.support.stage import Stage, open_stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until

pytestmark = pytest.mark.slow

Keys = Literal["push", "sync"]


@dataclass(frozen=True, kw_only=True)
class Secret:
    stage: Stage
    replica: Lycatra
    phones: Phones
    tables: Tables
    keys: Keys

    @property
    def lycatra(self) -> str:
        return str(self.stage.users.main)


@pytest.fixture(scope="module", params=["push", "sync"])
def keys(request: pytest.FixtureRequest) -> Keys:
    found: Keys = request.param
    return found


@pytest.fixture(scope="module")
def secret_site(keys: Keys) -> Iterator[Site]:
    with running_site(overrides=PUSHES_KEYS if keys == "push" else None) as running:
        yield running


@pytest.fixture
async def secret(keys: Keys, secret_site: Site, tmp_path: Path) -> AsyncIterator[Secret]:
    async with open_stage(secret_site, tmp_path) as stage, AsyncExitStack() as stack:
        url = sqlite_in(tmp_path)
        replica = await stage.replica(url, more=encryption(keys=keys))
        await replica.start()
        await until_devices_ready(stage, Tables(url))
        phones = Phones(stage, tmp_path, stack)
        yield Secret(stage=stage, replica=replica, phones=phones, tables=Tables(url), keys=keys)


async def test_a_chat_is_answered(secret: Secret) -> None:
    me = await secret.phones.new()
    room = await me.make_room(secret.lycatra)

    assert await room.said_to("!help")
    assert is_secret(secret.stage, room)


async def test_what_was_said_with_a_new_key_while_we_were_away_is_answered(
    secret: Secret,
) -> None:
    me = await secret.phones.new()
    room = await me.make_room(secret.lycatra)
    await room.said_to("!help")

    await secret.replica.stop()
    room.begin_new_session()
    asked = await room.say("!whoami")
    await secret.replica.start()

    assert me.user_id in (await room.answer_to(asked))["content"]["body"]
    assert is_secret(secret.stage, room)


async def test_a_chat_that_began_while_we_were_away_is_answered(secret: Secret) -> None:
    me = await secret.phones.new()
    first = await me.make_room(secret.lycatra)
    await first.said_to("!help")

    await secret.replica.stop()
    room = await me.begin_room(secret.lycatra)
    asked = await room.say("!whoami")
    await secret.replica.start()

    assert me.user_id in (await room.answer_to(asked))["content"]["body"]
    assert is_secret(secret.stage, room)


async def test_the_homeserver_keeps_no_messages_for_our_devices(secret: Secret) -> None:
    me = await secret.phones.new()
    room = await me.make_room(secret.lycatra)
    await room.said_to("!help")

    await secret.replica.stop()
    await secret.replica.start()

    async def is_empty() -> bool:
        return waiting_for_devices(secret.stage) == 0

    await until(is_empty, "no message between devices for us")


async def test_a_restart_of_the_homeserver_changes_nothing(secret: Secret) -> None:
    me = await secret.phones.new()
    room = await me.make_room(secret.lycatra)
    await room.said_to("!help")

    await secret.stage.site.homeserver.restart()
    room.begin_new_session()

    assert me.user_id in await room.said_to("!whoami")
    assert is_secret(secret.stage, room)


async def test_a_database_that_was_lost_is_a_new_beginning_with_the_same_identity(
    secret: Secret, tmp_path: Path
) -> None:
    me = await secret.phones.new()
    room = await me.make_room(secret.lycatra)
    await room.said_to("!help")
    before = await me.master_key_of(secret.lycatra)

    await secret.replica.stop()
    for file in ("lycatra.db", "lycatra.db-wal", "lycatra.db-shm"):
        (tmp_path / file).unlink(missing_ok=True)
    await secret.replica.start()
    await me.until_device_changed(secret.lycatra)

    assert me.user_id in await room.said_to("!whoami")
    assert await me.master_key_of(secret.lycatra) == before
    assert is_secret(secret.stage, room)


async def test_a_key_that_went_lost_with_a_failed_push_is_fetched(secret: Secret) -> None:
    me = await secret.phones.new()
    room = await me.make_room(secret.lycatra)
    await room.said_to("!help")

    secret.stage.proxy.set(Mode.REFUSE)
    secret.stage.proxy.cut()
    room.begin_new_session()
    asked = await room.say("!whoami")
    await until_pushed_in_vain(secret)
    secret.stage.proxy.set(Mode.PASS)

    assert me.user_id in (await room.answer_to(asked))["content"]["body"]
    assert is_secret(secret.stage, room)


async def until_pushed_in_vain(secret: Secret) -> None:
    """Wait until Synapse has given up to push once, and keeps it for later."""

    async def failed() -> bool:
        return pushed_in_vain(secret.stage) > 0

    await until(failed, "a failed push")
