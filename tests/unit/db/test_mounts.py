"""Where an SQLite file would be damaged, read from what the kernel says of its mounts."""

from pathlib import PurePosixPath

import pytest

from lycatra_appservice.db.mounts import Mount, is_shared, mount_of

# Root, pseudo file systems and a disk, as on a plain Linux computer.
PLAIN = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
22 27 0:21 / /proc rw,relatime - proc proc rw
33 27 0:30 / /home rw,relatime shared:12 - btrfs /dev/sdb1 rw
"""
# A container of Docker Desktop on Windows: a bind mount from C:\, and a named volume.
DOCKER_DESKTOP_WINDOWS = """\
612 480 0:61 / / rw,relatime master:182 - overlay overlay rw,lowerdir=/a:/b,upperdir=/c
640 612 0:63 /Users/alice/lycatra /data rw,noatime - 9p C:\\134 rw,dirsync,aname=drvfs;path=C:\\
641 612 8:48 /docker/volumes/lycatra_data/_data /volume rw,relatime - ext4 /dev/sdd rw
"""
DOCKER_DESKTOP_MAC = """\
612 480 0:61 / / rw,relatime - overlay overlay rw
640 612 0:45 /alice/my\\040data /my\\040data rw,relatime - fakeowner /run/host_mark/Users rw
641 612 0:46 /x /old rw,relatime - fuse.grpcfuse grpcfuse rw,user_id=0
642 612 0:47 /x /new rw,relatime - virtiofs virtiofs0 rw
"""
WSL = """\
60 55 8:32 / / rw,relatime shared:1 - ext4 /dev/sdc rw,discard
82 60 0:53 / /mnt/c rw,noatime - 9p drvfs rw,dirsync,aname=drvfs;path=C:\\;uid=1000
"""
# The automounter's entry stands before the share that it mounted over itself.
NETWORK = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:40 / /net rw,relatime shared:20 - autofs systemd-1 rw,fd=52
41 40 0:41 / /net rw,relatime shared:21 master:3 - nfs4 nas:/export rw,vers=4.2
42 27 0:42 / /smb rw,relatime - cifs //nas/share rw
43 27 0:43 / /ntfs rw,relatime - fuseblk /dev/sdb1 rw
44 27 0:44 / /net/local rw,relatime - xfs /dev/sdc1 rw
"""


def shared(path: str, mountinfo: str) -> str | None:
    """The file system's name if the path must not hold a database."""
    mount = mount_of(PurePosixPath(path), mountinfo)
    return mount.file_system if mount is not None and is_shared(mount) else None


@pytest.mark.parametrize(
    ("path", "mountinfo", "file_system"),
    [
        ("/data/lycatra.db", DOCKER_DESKTOP_WINDOWS, "9p"),
        ("/my data/lycatra.db", DOCKER_DESKTOP_MAC, "fakeowner"),
        ("/old/lycatra.db", DOCKER_DESKTOP_MAC, "fuse.grpcfuse"),
        ("/new/sub/lycatra.db", DOCKER_DESKTOP_MAC, "virtiofs"),
        ("/mnt/c/Users/alice/lycatra.db", WSL, "9p"),
        ("/net/lycatra.db", NETWORK, "nfs4"),
        ("/smb/lycatra.db", NETWORK, "cifs"),
    ],
)
def test_a_network_or_host_mount_is_shared(path: str, mountinfo: str, file_system: str) -> None:
    assert shared(path, mountinfo) == file_system


@pytest.mark.parametrize(
    ("path", "mountinfo"),
    [
        ("/var/lib/lycatra.db", PLAIN),
        ("/home/alice/lycatra.db", PLAIN),
        ("/volume/lycatra.db", DOCKER_DESKTOP_WINDOWS),
        ("/lycatra.db", DOCKER_DESKTOP_WINDOWS),
        ("/home/alice/lycatra.db", WSL),
        ("/mnt/cc/lycatra.db", WSL),  # begins like a shared mount and is none
        ("/ntfs/lycatra.db", NETWORK),
        ("/net/local/lycatra.db", NETWORK),  # a disk inside a share
    ],
)
def test_a_disk_and_a_named_volume_are_not_shared(path: str, mountinfo: str) -> None:
    assert mount_of(PurePosixPath(path), mountinfo) is not None
    assert shared(path, mountinfo) is None


def test_a_database_file_that_is_itself_a_mount_point_is_seen() -> None:
    line = "640 612 0:63 /f /data/lycatra.db rw - 9p host rw"
    assert mount_of(PurePosixPath("/data/lycatra.db"), PLAIN + line) == Mount(
        point=PurePosixPath("/data/lycatra.db"), file_system="9p"
    )


@pytest.mark.parametrize("text", ["", "\n\n", "nonsense", "1 2 3 - ext4", "a b c d / f ext4 x y"])
def test_what_is_no_mountinfo_says_nothing(text: str) -> None:
    assert mount_of(PurePosixPath("/data/lycatra.db"), text) is None
