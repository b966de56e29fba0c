"""Tells the container that this process runs in from all others."""

import platform
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")  # /etc/hostname comes from a folder called like the id
_SHORT_ID = 12


def is_mine(container_id: str) -> bool:
    """Whether it is the one of this process, as far as that can be told from inside."""
    if len(container_id) < _SHORT_ID:
        return False
    if platform.node() == container_id[:_SHORT_ID]:
        return True
    try:
        return f"/{container_id}" in _MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:  # there is none on this system
        return False
