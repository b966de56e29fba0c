"""Make text harmless in a room: nothing that lies about its looks, no mention nobody asked for."""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import unquote, urlsplit

from lycatra_appservice.model import UserID

JOINER: Final = "\u200d"  # zero width: breaks a mention or a command, but is not seen

LINK_SCHEMES: Final = frozenset({"http", "https", "mailto", "matrix"})

_REPLACED: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Overrides and isolates can make a sentence read as another; marks for single letters stay.
_REMOVED: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_ROOM: Final = re.compile(r"@(?=room\b)", re.IGNORECASE)
# Not inside `git@host:path` or an e-mail address, where clients see no user either.
_USER: Final = re.compile(rf"(?<![\w.+-])@(?!{JOINER})[^\s:@]{{1,255}}:[\w\[][\w.:\[\]-]*")
_PERMALINK: Final = re.compile(rf"matrix\.to/#/(?!{JOINER})(\S+)", re.IGNORECASE)
_URI: Final = re.compile(rf"\bmatrix:(?!{JOINER})(?://[^\s/]*/)?(?:u|user)/(\S+)", re.IGNORECASE)
_AFTER_ID: Final = re.compile(r"[?#/)\]>\s]")
_DECODINGS: Final = 3  # a link may be quoted more than once; more than this is nobody's accident


def clean(text: str) -> str:
    """Line ends as `\\n`, no control characters, no lone surrogates, no tricks with direction."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _REMOVED.sub("", _REPLACED.sub("\ufffd", text))


def defuse_room(text: str) -> str:
    """`@room`, in any case, no longer rings everybody."""
    return _ROOM.sub(f"@{JOINER}", text)


def defuse(text: str, allowed: Collection[UserID]) -> str:
    """`@room`, user ids and links to users that are not in `allowed` become mere text."""

    def user(match: re.Match[str]) -> str:
        found = match.group(0)
        return found if found.rstrip(".:") in allowed else f"@{JOINER}{found[1:]}"

    def link(match: re.Match[str]) -> str:
        found = match.group(0)
        if not _is_stranger(match.group(1), allowed):
            return found
        at = match.start(1) - match.start(0)
        return f"{found[:at]}{JOINER}{found[at:]}"

    def uri(match: re.Match[str]) -> str:
        found = match.group(0)
        if not _is_stranger(f"@{match.group(1)}", allowed):
            return found
        return f"matrix:{JOINER}{found[len('matrix:') :]}"

    text = _URI.sub(uri, _PERMALINK.sub(link, text))
    return _USER.sub(user, defuse_room(text))


def defuse_start(text: str) -> str:
    """A text that begins like a command for another bot (`!`, `/`) does so no longer."""
    return JOINER + text if text.lstrip().startswith(("!", "/")) else text


def may_link(url: str, allowed: Collection[UserID]) -> bool:
    """Whether a link may be made: a scheme of ours, and no person behind it but an allowed one."""
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        return False
    if scheme == "mailto":
        return True
    return scheme in LINK_SCHEMES and not _names_stranger(_decoded(url), allowed)


def is_permalink(url: str) -> bool:
    """Whether a link is Matrix' own, whose text says all there is to read."""
    return bool(_PERMALINK.search(url)) or url.lower().startswith("matrix:")


def _names_stranger(url: str, allowed: Collection[UserID]) -> bool:
    named = [match.group(1) for match in _PERMALINK.finditer(url)]
    named += [f"@{match.group(1)}" for match in _URI.finditer(url)]
    named += [match.group(0) for match in _USER.finditer(url)]
    return any(_is_stranger(name, allowed) for name in named)


def _is_stranger(name: str, allowed: Collection[UserID]) -> bool:
    decoded = _decoded(name).lstrip("/")
    if not decoded.startswith("@"):
        return False  # a room or an event: nobody is rung
    return _AFTER_ID.split(decoded, maxsplit=1)[0].rstrip(".,:;!") not in allowed


def _decoded(url: str) -> str:
    for _ in range(_DECODINGS):
        url = unquote(url)
    return url
