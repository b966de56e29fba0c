"""What the compose profile `full` writes: once, readable by whom it is for, and never again."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.settings_file import load_settings
from tests.support.compose import REPOSITORY

GROUP_READS = {
    "database/passwords.json",
    "database/postgres-password",
    "database/databases.sql",
    "synapse/signing.key",
    "synapse/log.yaml",
    "synapse/homeserver.yaml",
    "registration/lycatra.yaml",
}
OWNER_ONLY = {"config/config.yaml", "config/database-url"}


def set_up(root: Path, server_name: str = "chat.localhost") -> subprocess.CompletedProcess[str]:
    environ = {n: v for n, v in os.environ.items() if not n.startswith("LYCATRA_")}
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "docker/full_setup.py"), str(root)],
        cwd=REPOSITORY,
        env={
            **environ,
            "LYCATRA_HOMESERVER__SERVER_NAME": server_name,
            "SYNAPSE_PUBLIC_URL": "http://localhost:8008/",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def content(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_text() for path in files}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The volumes after the first start."""
    folder = tmp_path_factory.mktemp("volumes")
    done = set_up(folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture
def homeserver(root: Path) -> dict[str, Any]:
    """Synapse's configuration."""
    read: dict[str, Any] = json.loads((root / "synapse/homeserver.yaml").read_text())
    return read


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_each_file_is_readable_for_whom_it_is_meant_and_nobody_else(root: Path) -> None:
    modes = {name: stat.S_IMODE((root / name).stat().st_mode) for name in content(root)}
    assert modes == dict.fromkeys(GROUP_READS, 0o640) | dict.fromkeys(OWNER_ONLY, 0o600)


@pytest.mark.slow
def test_the_second_start_changes_nothing(root: Path) -> None:
    before = content(root)
    assert set_up(root).returncode == 0
    assert content(root) == before


@pytest.mark.slow
def test_what_an_interrupted_start_left_out_is_made_up_with_the_same_passwords(
    root: Path, tmp_path: Path
) -> None:
    before = content(root)
    for name in ("database/passwords.json", "synapse/signing.key"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(before[name])
    assert set_up(tmp_path).returncode == 0
    after = content(tmp_path)
    assert after.keys() == before.keys()
    for name in ("database/databases.sql", "config/database-url", "synapse/signing.key"):
        assert after[name] == before[name]


@pytest.mark.slow
def test_another_server_name_is_refused_and_nothing_is_touched(root: Path) -> None:
    before = content(root)
    done = set_up(root, "example.org")
    assert done.returncode == 1
    assert "LYCATRA_HOMESERVER__SERVER_NAME=chat.localhost" in done.stderr
    assert content(root) == before


def test_lycatra_accepts_its_configuration_and_uses_postgres(root: Path) -> None:
    settings = load_settings(root / "config/config.yaml", {}, {})
    assert settings.warnings == ()
    assert settings.homeserver.server_name == "chat.localhost"
    url = settings.database.url.get_secret_value()
    password = json.loads((root / "database/passwords.json").read_text())["lycatra"]
    assert url == f"postgresql://lycatra:{password}@postgres/lycatra"


def test_synapse_is_closed_to_strangers(homeserver: dict[str, Any]) -> None:
    assert homeserver["enable_registration"] is False
    assert homeserver["federation_domain_whitelist"] == []
    assert homeserver["listeners"][0]["resources"] == [{"names": ["client"], "compress": False}]


def test_no_password_is_used_twice_or_shown(root: Path, tmp_path: Path) -> None:
    passwords = json.loads((root / "database/passwords.json").read_text()).values()
    assert len({*passwords}) == 3
    done = set_up(tmp_path)
    fresh = json.loads((tmp_path / "database/passwords.json").read_text()).values()
    assert not {*fresh} & {*passwords}
    assert not any(password in done.stdout for password in fresh)
