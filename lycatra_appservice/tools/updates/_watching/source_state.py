"""What is remembered of a watched source between two looks; pure. Times are seconds since 1970."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from lycatra_appservice.tools.updates._release import Release, moment_of
from lycatra_appservice.tools.updates._watch_settings import Polled
from lycatra_appservice.tools.updates._watching.port import Listing, SourceDownError, Validators
from lycatra_appservice.tools.updates._watching.seen import Seen

FAILS_FOR_LONG: Final = 3  # failures in a row, after which people read of it

_LONGEST_PAUSE: Final = timedelta(hours=2)
_MOST_DOUBLINGS: Final = 10
_SLACK_S: Final = 5  # looks are no clockwork: one that comes a little early counts
_CLOCKS_DIFFER_S: Final = 24 * 3600
_EARLY: Final = "early:"  # what was passed over, and may become a release


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """`of` is the configuration that it was made with: another one begins anew.

    `failing_since` and `why` are of the failures in a row that stand now. Before `alone_until` the
    server wants no question.
    """

    of: str
    looked_at: int
    next_at: int
    seen: Seen = field(default_factory=Seen)
    validators: Validators = field(default_factory=Validators)
    failures: int = 0
    failing_since: int = 0
    why: str = ""
    first_at: int = 0  # the first look that went well
    alone_until: int = 0

    def is_due(self, source: Polled, now: int) -> bool:
        """Whether it is time for a look, which may have become more frequent meanwhile."""
        due = self.next_at
        if not self.failures:
            by_configuration = self.looked_at + round(source.every.total_seconds())
            due = min(due, max(by_configuration, self.alone_until))
        return due <= now + _SLACK_S

    @property
    def fails_for_long(self) -> bool:
        """Whether people should know of it."""
        return self.failures >= FAILS_FOR_LONG


def mark_of(source: Polled) -> str:
    """Differs for what has other releases."""
    kept = source.model_dump(
        mode="json", exclude={"name", "every", "timeout_seconds", "token", "username", "password"}
    )
    return hashlib.sha256(repr(sorted(kept.items())).encode()).hexdigest()[:16]


def fresh_state(source: Polled) -> SourceState:
    """That of a source which was never looked at."""
    return SourceState(of=mark_of(source), looked_at=0, next_at=0)


def new_in(listing: Listing, before: SourceState) -> list[Release]:
    """The releases that were not there in earlier looks, the newest first.

    What comes into sight again because a newer one was taken away is not new.
    """
    return [each for each in listing.releases if _is_new(each, before)]


def _is_new(release: Release, before: SourceState) -> bool:
    if before.seen.has(release.name):
        return False
    if before.seen.has(f"{_EARLY}{release.name}"):
        return True
    when = moment_of(release.when)
    return when is None or when >= before.first_at - _CLOCKS_DIFFER_S


def after_look(
    before: SourceState, listing: Listing | None, source: Polled, now: int
) -> SourceState:
    """What is remembered of a look that went well; None is one without anything new."""
    if listing is None:
        return _well(before, now, source.every)
    names = [each.name for each in listing.releases]
    early = [f"{_EARLY}{each}" for each in listing.passed_over]
    return replace(
        _well(before, now, max(source.every, listing.wait)),
        seen=before.seen.after([*names, *early]),
        validators=listing.validators,
        alone_until=now + round(listing.wait.total_seconds()),
    )


def after_failure(
    before: SourceState, error: SourceDownError, source: Polled, now: int, jitter: float
) -> SourceState:
    """What is remembered of one that did not; `jitter` is a number from 0 to 1."""
    doublings = min(before.failures, _MOST_DOUBLINGS)
    pause = min(source.every * 2**doublings, max(source.every, _LONGEST_PAUSE))
    pause = max(pause * (1 + jitter / 4), error.wait)
    return replace(
        before,
        looked_at=now,
        next_at=now + round(pause.total_seconds()),
        failures=before.failures + 1,
        failing_since=before.failing_since if before.failures else now,
        why=error.why,
    )


def _well(before: SourceState, now: int, pause: timedelta) -> SourceState:
    return replace(
        before,
        looked_at=now,
        next_at=now + round(pause.total_seconds()),
        failures=0,
        failing_since=0,
        why="",
        first_at=before.first_at or now,
    )
