"""What may be called a version, and the images that versions are tags of; pure."""

import re
from typing import Final

VERSION: Final = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$"
# Without a tag and a digest; a port may stand behind its host.
IMAGE: Final = r"^[A-Za-z0-9](?:[A-Za-z0-9._:/-]{0,250}[A-Za-z0-9])?$"

_VERSION: Final = re.compile(VERSION)
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def is_version(text: str) -> bool:
    """Whether it is safe in an argument, an address and a file: nothing of a path or an option."""
    return _VERSION.fullmatch(text) is not None


def tag_problem(version: str) -> str | None:
    """Why a version cannot be the tag of an image, without a full stop."""
    if _TAG.fullmatch(version):
        return None
    return f"`{version}` cannot be the tag of an image: `+` is not possible there"


def repository_of(image: str) -> str:
    """`ghcr.io/me/shop` of `ghcr.io/me/shop:1.4@sha256:…`."""
    named = image.partition("@")[0]
    path, colon, tag = named.rpartition(":")
    return path if colon and "/" not in tag else named


def tag_of(image: str) -> str | None:
    """`1.4` of `ghcr.io/me/shop:1.4`; None for what has no tag, such as an image by its digest."""
    named = image.partition("@")[0]
    tag = named[len(repository_of(image)) :].removeprefix(":")
    return tag if is_version(tag) else None
