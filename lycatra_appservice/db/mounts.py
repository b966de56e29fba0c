"""Keeps an SQLite file off mounts that several kernels share: its locks and its WAL fail there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from lycatra_appservice.errors import SettingsError

_MOUNTINFO: Final = Path("/proc/self/mountinfo")
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")  # the kernel writes a space as \040

# File systems as the kernel names them. `fuse.` alone is left out: NTFS and many local ones are
# fuse, too.
_SHARED: Final = frozenset(
    {
        "9p",  # a Windows drive inside WSL2, a folder of Windows in Docker Desktop
        "virtiofs",  # a host's folder inside a virtual machine, Docker Desktop on macOS
        "fakeowner",  # the same, as newer Docker Desktops name it
        "osxfs",
        "fuse.osxfs",
        "fuse.grpcfuse",
        "drvfs",
        "vboxsf",
        "prl_fs",
        "vmhgfs",
        "fuse.vmhgfs-fuse",
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "fuse.sshfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.mergerfs",
        "fuse.glusterfs",
        "fuse.ceph-fuse",
        "ceph",
        "afs",
        "lustre",
        "beegfs",
        "davfs",
        "fuse.davfs2",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """Where something is mounted, and the kernel's name of its file system."""

    point: PurePosixPath
    file_system: str


def mount_of(path: PurePosixPath, mountinfo: str) -> Mount | None:
    """Return the mount that an absolute path without symbolic links lies on, None if unknown.

    `mountinfo` is the text of /proc/self/mountinfo. Lines that are none are left out.
    """
    found: Mount | None = None
    for mount in _mounts(mountinfo):
        # Among equals the later one: it was mounted over the earlier.
        if path.is_relative_to(mount.point) and (
            found is None or len(mount.point.parts) >= len(found.point.parts)
        ):
            found = mount
    return found


def is_shared(mount: Mount) -> bool:
    """Whether other computers, or a host beside its virtual machine, may use the files as well."""
    return mount.file_system in _SHARED


def refuse_shared_mount(database_file: Path) -> None:
    """Raise SettingsError if an SQLite file is, or would be made, on a shared mount.

    Where there is no /proc (macOS, Windows) nothing is known and nothing is refused.
    """
    resolved = database_file.resolve()  # as SQLite does: the WAL lies beside the real file
    mount = mount_of(PurePosixPath(resolved), _read_mountinfo())
    if mount is not None and is_shared(mount):
        raise SettingsError([_refusal(resolved, mount)])


def _mounts(mountinfo: str) -> Iterator[Mount]:
    for line in mountinfo.splitlines():
        # id parent major:minor root POINT options [optional fields] - TYPE source options
        before, separator, after = line.partition(" - ")
        fields, kinds = before.split(" "), after.split(" ")
        if separator and len(fields) >= 6:
            yield Mount(point=PurePosixPath(_unescaped(fields[4])), file_system=kinds[0])


def _unescaped(text: str) -> str:
    # The kernel escapes bytes; those above 127 it leaves as they are.
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)


def _read_mountinfo() -> str:
    try:
        return _MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _refusal(file: Path, mount: Mount) -> str:
    return (
        f"database.url: {file} is on a {mount.file_system} mount ({mount.point}), which a host "
        "or other computers share: SQLite's locks and write-ahead log do not work there, and the "
        "database would be damaged sooner or later. Put it on a named volume or a disk of this "
        "computer, or use Postgres. If you are sure that only one kernel ever opens it: "
        "database.allow_shared_mount: true"
    )
