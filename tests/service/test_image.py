"""The image, really built and really run: what it is, what it may, and how it ends."""

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lycatra_appservice import __version__
from tests.support.compose import REPOSITORY
from tests.support.image import Image, Volume, built_image, pid_one
from tests.support.synapse import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.slow

GRACE_SECONDS = 60  # stop_grace_period of docker-compose.yml
OWN_LAYERS_BYTES = 120_000_000  # uncompressed
OURS, SYNAPSE, POSTGRES = "10001:10001", "991:991", "999:991"
SETUP = "10001:991"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """Built once for this module."""
    with built_image(tmp_path_factory.mktemp("image")) as built:
        yield built


@pytest.fixture
def volumes(image: Image, tmp_path: Path) -> list[Volume]:
    """New volumes, as compose's service `setup` mounts them."""
    tmp_path.chmod(0o755)
    return [
        Volume(source=image.new_volume(tmp_path, target), target=target)
        for target in ("/config", "/data", "/registration", "/synapse", "/database")
    ]


@pytest.fixture
def environ() -> dict[str, str]:
    """Settings by the environment alone; nothing answers at this homeserver's port."""
    return {
        "LYCATRA_CONFIG": "",
        "LYCATRA_HOMESERVER__URL": "http://127.0.0.1:9",
        "LYCATRA_HOMESERVER__SERVER_NAME": "hs.test",
        "LYCATRA_APPSERVICE__REGISTRATION_FILE": "/registration/lycatra.yaml",
        "LYCATRA_APPSERVICE__LISTEN__HOST": "127.0.0.1",
        "LYCATRA_APPSERVICE__LISTEN__PORT": str(free_port()),
    }


@pytest.fixture
def registered(image: Image, volumes: list[Volume], environ: dict[str, str]) -> list[Volume]:
    """The volumes as `lycatra` mounts them, after `docker compose run setup`."""
    code, output = image.run(
        "registration", "--mode", "0640", user=SETUP, volumes=volumes, environ=environ
    )
    assert code == 0, output
    read_only = {"/config", "/registration"}
    return [
        Volume(source=each.source, target=each.target, writable=each.target not in read_only)
        for each in volumes
    ]


def test_it_runs_as_10001_and_says_its_version(image: Image) -> None:
    code, output = image.run(
        "-c", "import os; print(os.getuid(), os.getgid())", entrypoint=["python"]
    )
    assert (code, output.split()) == (0, ["10001", "10001"])
    assert image.run("--version") == (0, f"lycatra {__version__}\n")


def test_no_file_of_the_application_is_writable_for_its_user(image: Image) -> None:
    found = [path.lstat() for path in (image.root / "opt/lycatra").rglob("*")]
    assert found
    for state in found:
        assert (state.st_uid, state.st_gid) == (0, 0)
        assert stat.S_ISLNK(state.st_mode) or not state.st_mode & 0o022


def test_nothing_that_builds_is_in_it(image: Image) -> None:
    packages = {path.name for path in image.root.glob("opt/lycatra/lib/python3*/site-packages/*")}
    assert "lycatra_appservice" in packages
    assert not {"pip", "hatchling", "setuptools"} & packages
    assert not (image.root / "opt/tools").exists()
    assert not (image.root / "build").exists()


def test_its_own_layers_are_small(image: Image) -> None:
    files = (image.root / "opt/lycatra").rglob("*")
    assert sum(path.lstat().st_size for path in files) < OWN_LAYERS_BYTES


def test_its_configuration_survived_the_build(image: Image) -> None:
    config = image.config
    assert config["User"] == OURS
    assert config["Entrypoint"] == ["python", "-m", "lycatra_appservice"]
    assert config["Healthcheck"]["Test"] == ["CMD", *config["Entrypoint"], "health"]
    assert config["Labels"]["org.opencontainers.image.version"] == __version__


def test_it_knows_the_certificate_authorities_and_the_time_zones(image: Image) -> None:
    code, output = image.run(
        "-c",
        "import ssl, zoneinfo; zoneinfo.ZoneInfo('Europe/Berlin');"
        "print(len(ssl.create_default_context().get_ca_certs()))",
        entrypoint=["python"],
    )
    assert code == 0, output
    assert int(output) > 50


def test_without_a_configuration_it_says_so_and_ends_with_2(image: Image) -> None:
    code, output = image.run("run")
    assert code == 2
    assert output.startswith("lycatra: /config/config.yaml: does not exist")


def test_the_registration_is_readable_for_synapse_and_not_for_others(
    image: Image, registered: list[Volume]
) -> None:
    path = "/registration/lycatra.yaml"
    assert reads(image, registered, SYNAPSE, path)
    assert not reads(image, registered, "992:992", path)


async def test_it_is_healthy_keeps_its_database_on_the_volume_and_ends_in_time(
    image: Image, registered: list[Volume], environ: dict[str, str]
) -> None:
    async def healthy() -> bool:
        how = {"volumes": registered, "environ": environ}
        return (await asyncio.to_thread(image.run, "health", **how))[0] == 0

    before, output = await asyncio.to_thread(
        image.run, "health", volumes=registered, environ=environ
    )
    assert before == 1, output
    async with running(image, registered, environ) as ended:
        await until(healthy, "a healthy container")
        [data] = [each.source for each in registered if each.target == "/data"]
        state = (data / "lycatra.db").stat()
        assert (state.st_uid, stat.S_IMODE(state.st_mode)) == (10001, 0o600)
    assert ended == [0]
    assert not await healthy()


def test_the_setup_of_the_full_profile_gives_each_its_own(
    image: Image, volumes: list[Volume]
) -> None:
    script = REPOSITORY / "docker/full_setup.py"
    code, output = image.run(
        "-c", script.read_text(encoding="utf-8"),
        entrypoint=["python"], user=SETUP, volumes=volumes,
        environ={
            "LYCATRA_HOMESERVER__SERVER_NAME": "chat.localhost",
            "SYNAPSE_PUBLIC_URL": "http://localhost:8008/",
        },
    )  # fmt: skip
    assert code == 0, output
    for user, path in (
        (SYNAPSE, "/synapse/homeserver.yaml"),
        (SYNAPSE, "/synapse/signing.key"),
        (SYNAPSE, "/registration/lycatra.yaml"),
        (POSTGRES, "/database/postgres-password"),
        (POSTGRES, "/database/databases.sql"),
        (OURS, "/config/config.yaml"),
        (OURS, "/config/database-url"),
    ):
        assert reads(image, volumes, user, path), (user, path)
    for user, path in ((SYNAPSE, "/config/database-url"), (POSTGRES, "/config/database-url")):
        assert not reads(image, volumes, user, path), (user, path)
    code, output = image.run(
        "-c", "open('/synapse/media', 'w')", entrypoint=["python"], user=SYNAPSE, volumes=volumes
    )
    assert code == 0, output
    assert image.run("check", volumes=volumes)[0] == 0


def reads(image: Image, volumes: list[Volume], user: str, path: str) -> bool:
    code, _ = image.run(path, entrypoint=["cat"], user=user, volumes=volumes)
    return code == 0


@asynccontextmanager
async def running(
    image: Image, volumes: list[Volume], environ: dict[str, str]
) -> AsyncIterator[list[int]]:
    """The container, stopped at the end as an engine does it; the list then has its exit code."""
    ended: list[int] = []
    process = image.start(volumes=volumes, environ=environ)
    try:
        yield ended
        os.kill(pid_one(process), signal.SIGTERM)
        await asyncio.to_thread(process.communicate, timeout=GRACE_SECONDS)
        ended.append(process.returncode)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
