"""Where encrypted rooms are switched on, and what is missing for it."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from mautrix.crypto import OlmAccount
from mautrix.types import DeviceID
from pydantic import SecretStr

from lycatra_appservice.app.encryption import open_seals
from lycatra_appservice.app.service import Service
from lycatra_appservice.db.migrate import migrate
from lycatra_appservice.db.open import open_database
from lycatra_appservice.errors import SettingsError
from lycatra_appservice.matrix.crypto.key_store import KeyStore
from lycatra_appservice.matrix.crypto.keyring import WrongSecretError
from lycatra_appservice.matrix.crypto.lease import KeyLease
from lycatra_appservice.matrix.crypto.secret import KeySecret
from lycatra_appservice.matrix.crypto.unit import KeyUnits
from lycatra_appservice.model import UserID
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.extras import Extra
from lycatra_appservice.toolkit.own.found import FoundTools
from tests.support.config_folder import SMALLEST, load

ON = "encryption: {mode: allow, secret: 0123456789abcdef0123456789abcdef}\n"
OF_THE_EXTRA = ("olm", "_libolm", "Crypto", "unpaddedbase64", "base58")
MISSING = Extra(name="e2ee", module="nothing.of.that.name")


async def test_without_what_it_needs_the_line_to_install_is_said(tmp_path: Path) -> None:
    opened = await open_database(f"sqlite:///{tmp_path / 'a.db'}")
    try:
        with pytest.raises(SettingsError, match=r"pip install 'lycatra-appservice\[e2ee\]'"):
            open_seals(load(tmp_path, SMALLEST + ON), opened, MISSING)
        assert open_seals(load(tmp_path, SMALLEST), opened, MISSING) is None
    finally:
        await opened.database.close()


def test_a_mode_alone_is_a_section(tmp_path: Path) -> None:
    assert load(tmp_path, SMALLEST + "encryption: off\n").encryption.mode == "off"


def test_a_secret_is_needed_and_how_to_make_it_is_said(tmp_path: Path) -> None:
    for written in ("encryption: allow\n", "encryption: {mode: default}\n"):
        with pytest.raises(SettingsError, match="openssl rand -hex 32"):
            load(tmp_path, SMALLEST + written)


def test_a_secret_that_could_be_guessed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at least 32 characters"):
        load(tmp_path, SMALLEST + "encryption: {mode: allow, secret: short}\n")


def test_the_secret_is_shown_nowhere(tmp_path: Path) -> None:
    settings = load(tmp_path, SMALLEST + ON)

    assert "0123456789abcdef" not in f"{settings!r} {settings.model_dump_json()}"


async def test_the_service_does_not_start_with_another_secret_than_its_keys_were_closed_with(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    registry = discover()
    sections = {each.name: each.settings for each in registry.namespaces}
    text = f"{SMALLEST}{ON}database: {{url: '{url}'}}\n"
    settings = load(tmp_path, text, tools=sections)
    opened = await open_database(url)
    try:
        await migrate(opened.database)
        lease = KeyLease(opened.database, "before", timedelta(minutes=1))
        assert await lease.take()
        lost = KeySecret(SecretStr("what was the secret before, and is lost")).pickle
        ours, device = UserID("@lycatra:hs.test"), DeviceID("LYCETEST")
        units = KeyUnits(opened.database, lease)
        await KeyStore(units, opened.database.dialect, ours, device, lost).put_account(
            OlmAccount()
        )
    finally:
        await opened.database.close()

    with pytest.raises(WrongSecretError, match="put the old one back"):
        await Service(settings, FoundTools(registry=registry)).run()


def test_everything_else_works_without_the_extra() -> None:
    block = "; ".join(f"sys.modules[{name!r}] = None" for name in OF_THE_EXTRA)
    programs = "import lycatra_appservice.cli, lycatra_appservice.app.run, lycatra_appservice.demo"

    ended = subprocess.run(
        [sys.executable, "-c", f"import sys; {block}; {programs}"],
        capture_output=True,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, b"")
