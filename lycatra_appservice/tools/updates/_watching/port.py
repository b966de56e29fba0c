"""What a look at a watched source gives, and what it ends in otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from lycatra_appservice.tools.updates._release import Release


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """What a server gave along, to be asked with whether anything has changed since."""

    etag: str = ""
    modified: str = ""

    @property
    def conditions(self) -> Mapping[str, str]:
        """The headers that ask so; none where nothing was given."""
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in asked.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is there now, the newest first. `passed_over` are names that do not count yet.

    `wait` is for how long the server wants to be left alone.
    """

    releases: Sequence[Release]
    validators: Validators = Validators()
    passed_over: Sequence[str] = ()
    wait: timedelta = timedelta(0)


class SourceDownError(Exception):
    """A source gave nothing usable: why, in a few words that are safe to show.

    `wait` is for how long the server wants to be left alone, `detail` for the log.
    """

    def __init__(self, why: str, *, wait: timedelta = timedelta(0), detail: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.wait = wait
        self.detail = detail
