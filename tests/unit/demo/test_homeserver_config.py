import json
import stat
from pathlib import Path

import pytest

from lycatra_appservice.demo.homeserver import (
    Homeserver,
    HomeserverError,
    HomeserverSettings,
    free_port,
    write_homeserver_config,
)
from lycatra_appservice.model import JSON


def settings(folder: Path, **more: JSON) -> HomeserverSettings:
    return HomeserverSettings(
        folder=folder, port=8008, python=Path("/nowhere/python"), server_name="hs.test", **more
    )


def written(folder: Path) -> JSON:
    return json.loads((folder / "homeserver.yaml").read_text())


def test_a_second_start_keeps_the_secrets_and_the_signing_key(tmp_path: Path) -> None:
    first = write_homeserver_config(settings(tmp_path))
    key = (tmp_path / "signing.key").read_text()
    second = write_homeserver_config(settings(tmp_path))

    assert second == first
    assert (tmp_path / "signing.key").read_text() == key


def test_two_folders_have_different_secrets(tmp_path: Path) -> None:
    first = write_homeserver_config(settings(tmp_path / "a"))
    second = write_homeserver_config(settings(tmp_path / "b"))

    assert first.registration_shared_secret != second.registration_shared_secret
    assert first.signing_key != second.signing_key


def test_only_the_owner_can_read_what_holds_secrets(tmp_path: Path) -> None:
    write_homeserver_config(settings(tmp_path / "new"))

    for path in [tmp_path / "new", *(tmp_path / "new").iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_secrets_are_in_no_representation(tmp_path: Path) -> None:
    made = write_homeserver_config(settings(tmp_path))

    assert made.registration_shared_secret not in repr(made)


def test_damaged_secrets_are_named_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{")

    with pytest.raises(HomeserverError, match=r"secrets\.json is damaged"):
        write_homeserver_config(settings(tmp_path))


def test_the_caller_decides_database_registrations_and_limiters(tmp_path: Path) -> None:
    registration = tmp_path / "lycatra.yaml"
    strict = {"per_second": 1, "burst_count": 2}
    write_homeserver_config(
        settings(
            tmp_path,
            registrations=[registration],
            postgres={"dbname": "synapse", "host": "127.0.0.1"},
            experimental_features=True,
            overrides={"rc_message": strict},
        )
    )

    config = written(tmp_path)
    assert config["app_service_config_files"] == [str(registration)]
    assert config["database"]["name"] == "psycopg2"
    assert config["database"]["args"]["dbname"] == "synapse"
    assert all(config["experimental_features"].values())
    assert config["rc_message"] == strict
    assert config["rc_login"]["address"]["burst_count"] == 10_000


async def test_a_missing_interpreter_is_named(tmp_path: Path) -> None:
    with pytest.raises(HomeserverError, match="/nowhere/python"):
        await Homeserver(
            HomeserverSettings(folder=tmp_path, port=free_port(), python=Path("/nowhere/python"))
        ).start()
