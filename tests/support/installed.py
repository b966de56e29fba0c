"""Lycatra as it is installed somewhere: in versions, kept running, and replaced by a program."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import lycatra_appservice
from lycatra_appservice.model import JSON
from tests.support.lycatra import Lycatra

PACKAGE = lycatra_appservice.__name__
FIRST = lycatra_appservice.__version__
_LOOK_AGAIN_SECONDS = 0.05
# What an operator's own program might do: makes a version the current one, and restarts one
# process after the other, as long as the one before came back with it.
_UPDATE = """
import json, os, pathlib, signal, sys, time, urllib.request
folder, package, version = pathlib.Path(sys.argv[1]), *sys.argv[2:]
with (folder / "log").open("a") as log:
    print(version, file=log)
(folder / "next").symlink_to(folder / "releases" / version / package)
(folder / "next").replace(folder / package)
def running(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return json.load(answer)["version"]
    except OSError:
        return None
for name, port in json.loads((folder / "replicas.json").read_text()).items():
    if running(port) == version:
        continue
    try:
        os.kill(int((folder / f"{name}.pid").read_text()), signal.SIGTERM)
    except ProcessLookupError:
        pass
    patience = time.monotonic() + 30
    while running(port) != version:
        if time.monotonic() > patience or (folder / f"{name}-cannot-{version}").exists():
            sys.exit("it does not come back")
        time.sleep(0.05)
"""


class Installed:
    """Versions in a folder in which the processes start, and whoever keeps these running."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._link = folder / PACKAGE
        self._started: dict[str, Path] = {}  # from which release, by the process's name
        self.release(FIRST)
        self._link.symlink_to(self._release(FIRST))

    def release(self, version: str, *, is_broken: bool = False) -> None:
        """Make a version; a broken one does not even start."""
        release = self._release(version)
        shutil.copytree(Path(lycatra_appservice.__file__).parent, release)
        words = '"""A version for a test."""\n'
        end = 'raise SystemExit("broken")' if is_broken else f"__version__ = {version!r}"
        (release / "__init__.py").write_text(f"{words}\n{end}\n", encoding="utf-8")

    def update_program(self) -> Sequence[str]:
        """The arguments of what brings `{version}`."""
        return [sys.executable, "-c", _UPDATE, str(self._folder), PACKAGE, "{version}"]

    def brought(self) -> Sequence[str]:
        """Which versions were brought, in order."""
        log = self._folder / "log"
        return log.read_text().split() if log.exists() else []

    @asynccontextmanager
    async def kept_running(self, *replicas: Lycatra) -> AsyncIterator[None]:
        """Start them, and again whenever they have ended."""
        ports: dict[str, JSON] = {each.name: each.port for each in replicas}
        (self._folder / "replicas.json").write_text(json.dumps(ports))
        for each in replicas:
            self._launch(each)
            await each.until_ready()
        keeping = asyncio.create_task(self._keep_running(replicas))
        try:
            yield
            assert not keeping.done(), keeping.exception()
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _keep_running(self, replicas: Sequence[Lycatra]) -> None:
        broken: set[Path] = set()  # what ended by itself, and would again
        while True:
            for each in replicas:
                if each.child.is_running:
                    continue
                each.kill()  # closes what is left of it
                release = self._started[each.name]
                if each.child.exit_code != 0:
                    broken.add(release)
                    (self._folder / f"{each.name}-cannot-{release.parent.name}").touch()
                if self._link.readlink() not in broken:
                    self._launch(each)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def _launch(self, replica: Lycatra) -> None:
        self._started[replica.name] = self._link.readlink()
        replica.launch()
        (self._folder / f"{replica.name}.pid").write_text(str(replica.child.pid))

    def _release(self, version: str) -> Path:
        return self._folder / "releases" / version / PACKAGE
