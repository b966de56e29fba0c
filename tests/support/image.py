"""Builds the image with buildah, without a daemon, and runs it as a container would be run.

The base is a Debian made by debootstrap, because no registry is asked; LYCATRA_TEST_BASE_IMAGE
names another one. Packages come from a folder of wheels: the build itself has no index.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.compose import REPOSITORY

BASE_VARIABLE = "LYCATRA_TEST_BASE_IMAGE"
_OWN_BASE = "localhost/lycatra-test-base:bookworm"
_BUILD_BASE = "localhost/lycatra-test-base-build:latest"
_IMAGE = "localhost/lycatra-test:latest"
_NEEDED = ("buildah", "unshare", "chroot", "mount")
_INCLUDE = "--include=python3,python3-venv,ca-certificates"
_PIP_CONF = "[global]\nno-index = true\nfind-links = /wheels\n"
_SECONDS = 900

# Everything that compose's read_only, tmpfs and volumes do: the image cannot be written, /tmp is
# new, the volumes are folders of the test. The program becomes process 1 of its own namespace.
_CONTAINER = """
set -eu
root=$1; shift
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
while [ "$1" != -- ]; do
    mount --bind "$1" "$root$2"
    [ "$3" = rw ] || mount -o remount,bind,ro "$root$2"
    shift 3
done
shift
exec "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A folder of the test inside the container."""

    source: Path
    target: str
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Image:
    """A built image: its configuration as a container engine reads it, and its files."""

    config: Mapping[str, Any]
    root: Path

    def new_volume(self, folder: Path, target: str) -> Path:
        """A folder with the owner and mode that a new named volume takes from the image."""
        source = folder / target.strip("/")
        source.mkdir()
        image = (self.root / target.strip("/")).stat()
        os.chown(source, image.st_uid, image.st_gid)
        source.chmod(image.st_mode & 0o7777)
        return source

    def start(
        self,
        words: Sequence[str] = (),
        *,
        volumes: Sequence[Volume] = (),
        environ: Mapping[str, str] | None = None,
        user: str = "",
        entrypoint: Sequence[str] = (),
    ) -> subprocess.Popen[str]:
        """Start it with its own entry point, command, user, environment and working folder."""
        given = [f"{name}={value}" for name, value in (environ or {}).items()]
        mounts = [
            word
            for each in volumes
            for word in (str(each.source), each.target, "rw" if each.writable else "ro")
        ]
        return subprocess.Popen(
            [
                _program("unshare"), "--mount", "--pid", "--fork", "--kill-child",
                "sh", "-c", _CONTAINER, "sh", str(self.root), *mounts, "--",
                "chroot", f"--userspec={user or self.config['User']}", "--groups=",
                str(self.root),
                "env", "-i", f"--chdir={self.config['WorkingDir']}",
                *self.config["Env"], *given,
                *(entrypoint or self.config["Entrypoint"]),
                *(words or self.config["Cmd"]),
            ],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, *words: str, **how: Any) -> tuple[int, str]:
        """Start it, wait for its end, and return exit code and output."""
        process = self.start(words, **how)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output


def pid_one(process: subprocess.Popen[str]) -> int:
    """The process that a container engine would send its signals to."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    [child] = children.split()
    return int(child)


@contextmanager
def built_image(folder: Path) -> Iterator[Image]:
    """The image of this repository; skips where it cannot be built, with the reason."""
    _skip_unless_it_can_be_built()
    base = os.environ.get(BASE_VARIABLE) or _own_base()
    wheels = _wheels(folder, _python_of(base))
    with _only_for_now(_BUILD_BASE), _only_for_now(_IMAGE):
        _commit(_BUILD_BASE, base, folder, _PIP_CONF)
        _buildah(
            "bud", "--format", "docker", "--target", "lycatra", "-t", _IMAGE,
            "--volume", f"{wheels}:/wheels:ro",
            "--build-arg", f"BASE_BUILD={_BUILD_BASE}", "--build-arg", f"BASE_RUN={base}",
            str(REPOSITORY),
        )  # fmt: skip
        described = json.loads(_buildah("inspect", "--type", "image", _IMAGE))
        with _container(_IMAGE) as container:
            root = Path(_buildah("mount", container))
            try:
                yield Image(described["Docker"]["config"], root)
            finally:
                _buildah("umount", container)


@contextmanager
def _only_for_now(image: str) -> Iterator[None]:
    """Remove an image of this run afterwards; the base stays, because it takes a minute."""
    try:
        yield
    finally:
        if _has(image):
            # By force, because buildah 1.28 forgets the container of a stage without a step.
            _buildah("rmi", "--force", image)


def _skip_unless_it_can_be_built() -> None:
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"the image is not built here: no {', '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("the image is not built here: running it takes root (mount namespaces)")


def _own_base() -> str:
    """Debian with Python, kept in buildah's storage for the next time."""
    if _has(_OWN_BASE):
        return _OWN_BASE
    if shutil.which("debootstrap") is None:
        pytest.skip(f"the image is not built here: no debootstrap, and no {BASE_VARIABLE}")
    with _container("scratch") as container:
        root = _buildah("mount", container)
        mirror = [url] if (url := os.environ.get("DEBIAN_MIRROR")) else []
        _do("debootstrap", "--variant=minbase", _INCLUDE, "bookworm", root, *mirror)
        _buildah("umount", container)
        _buildah("commit", container, _OWN_BASE)
    return _OWN_BASE


def _has(image: str) -> bool:
    found = subprocess.run(
        [_program("buildah"), "inspect", "--type", "image", image],
        env=_environ(), capture_output=True, check=False,
    )  # fmt: skip
    return found.returncode == 0


def _python_of(base: str) -> str:
    with _container(base) as container:
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        return _buildah("run", container, "--", "python3", "-c", code)


def _wheels(folder: Path, version: str) -> Path:
    """Everything the build installs, fetched by the ordinary pip with the ordinary hashes."""
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    if version != ours:
        pytest.skip(
            f"the base has Python {version} and the tests {ours}: the wheels would not fit. "
            f"Run the tests with Python {version}, or name another base in {BASE_VARIABLE}"
        )
    wheels = folder / "wheels"
    for lock in ("base", "build"):
        _do(
            sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes",
            "--only-binary", ":all:", "--dest", str(wheels),
            "-r", str(REPOSITORY / f"requirements/{lock}.txt"),
        )  # fmt: skip
    return wheels


def _commit(name: str, base: str, folder: Path, pip_conf: str) -> None:
    """Make a base whose pip knows the wheels and nothing else."""
    (folder / "pip.conf").write_text(pip_conf)
    with _container(base) as container:
        _buildah("copy", container, str(folder / "pip.conf"), "/etc/pip.conf")
        _buildah("commit", container, name)


@contextmanager
def _container(image: str) -> Iterator[str]:
    container = _buildah("from", "--pull-never", image)
    try:
        yield container
    finally:
        _buildah("rm", container)


def _buildah(*words: str) -> str:
    return _do("buildah", *words)


def _do(*words: str) -> str:
    done = subprocess.run(
        words, env=_environ(), capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode != 0:
        tail = re.sub(r"(?s)^.*?(.{0,3000})$", r"\1", done.stdout + done.stderr)
        pytest.fail(f"{' '.join(words)} ended with {done.returncode}:\n{tail}", pytrace=False)
    return done.stdout.strip()


def _program(name: str) -> str:
    return shutil.which(name) or name


def _environ() -> dict[str, str]:
    return {**os.environ, "BUILDAH_ISOLATION": "chroot"}
