"""Findings about the homeserver that need no token: address, clock, encryption by default."""

from datetime import timedelta
from typing import Final

from lycatra_appservice.doctor.address import NoHomeserverError, Seen
from lycatra_appservice.doctor.findings import Finding, error, ok, warning

_TOLERATED: Final = timedelta(seconds=30)  # the Date header has whole seconds; NTP keeps below one
_SLOW: Final = timedelta(seconds=2)
_FORCED: Final = "io.element.e2ee_forced."


def judge_address(looked: Seen | NoHomeserverError) -> Finding:
    """Whether we reach it, and how fast."""
    check = "homeserver.address"
    if isinstance(looked, NoHomeserverError):
        return error(
            check,
            str(looked),
            why="Lycatra can neither read nor answer anything",
            fix="homeserver.url: how Lycatra's machine or container reaches Synapse",
        )
    took = round(looked.took.total_seconds() * 1000)
    if looked.took > _SLOW:
        return warning(
            check,
            f"{looked.url} takes {took} ms for its simplest answer",
            why="every answer of Lycatra needs several such requests",
            fix="homeserver.url: an address nearer to Synapse, without a detour over the internet",
        )
    return ok(check, f"{looked.url} answers in {took} ms")


def judge_clock(seen: Seen) -> Finding:
    """Whether both clocks agree."""
    check, ahead = "homeserver.clock", seen.clock_ahead
    if ahead is None:
        return ok(check, "the homeserver does not tell its time")
    if abs(ahead) <= _TOLERATED:
        return ok(check, "both clocks agree")
    way = "ahead of" if ahead > timedelta(0) else "behind"
    return warning(
        check,
        f"the homeserver's clock is {round(abs(ahead).total_seconds())} s {way} this one",
        why="the age of messages and the end of approvals are judged by clocks",
        fix="switch on NTP on both machines: `timedatectl set-ntp true`",
    )


def judge_encryption(seen: Seen, *, decrypts: bool = False) -> Finding:
    """Whether new private rooms are encrypted, and Lycatra cannot read them."""
    check = "homeserver.encryption"
    if decrypts:
        return ok(check, "encrypted rooms are read here")
    if any(seen.features.get(f"{_FORCED}{preset}") for preset in ("private", "trusted_private")):
        return warning(
            check,
            "this homeserver encrypts every new private room",
            why="Lycatra cannot read encrypted rooms, direct chats included, as it is configured",
            fix="encryption.mode: allow (docs/ENCRYPTION.md), or in homeserver.yaml "
            "encryption_enabled_by_default_for_room_type: off",
        )
    return ok(check, "rooms are not encrypted by default; some clients still ask for it in chats")
