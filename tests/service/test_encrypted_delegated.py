"""Encrypted rooms where the Matrix Authentication Service logs people in, and nobody else may."""

from pathlib import Path

import pytest

from lycatra_appservice.demo.homeserver import free_port
from lycatra_appservice.demo.people import PersonClient
from tests.support.authentication_service import AuthenticationService
from tests.support.encrypted_site import (
    PUSHES_KEYS,
    encryption,
    is_secret,
    until_devices_ready,
)
from tests.support.secret_person import secret_device
from tests.support.site import running_site
from tests.support.stage import open_stage, sqlite_in
from tests.support.tables import Tables

pytestmark = pytest.mark.slow


async def test_devices_are_made_without_any_log_in_and_a_chat_is_answered(tmp_path: Path) -> None:
    service = AuthenticationService(free_port())
    overrides = {
        **PUSHES_KEYS,
        "matrix_authentication_service": service.config,
        "registration_shared_secret": None,
        "password_config": {"enabled": False},
    }
    with running_site(overrides=overrides) as site:
        async with service, open_stage(site, tmp_path) as stage:
            url = sqlite_in(tmp_path)
            replica = await stage.replica(url, more=encryption())
            await replica.start()
            await until_devices_ready(stage, Tables(url))
            where = site.homeserver
            made = await service.person(where.url, where.server_name, "delegated")
            async with (
                PersonClient(where.url, made) as person,
                secret_device(
                    where.url, person, tmp_path, made.device_id, made.access_token
                ) as me,
            ):
                room = await me.make_room(stage.users.main)

                assert me.user_id in await room.said_to("!whoami")
                assert is_secret(stage, room)
