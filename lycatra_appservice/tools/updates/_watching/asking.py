"""Asks the server of a watched source, by conditional requests, and as often as it likes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from lycatra_appservice.toolkit.base import (
    AnswerTooLargeError,
    HttpAnswer,
    Outbound,
    OutboundError,
    OutboundRefusedError,
)
from lycatra_appservice.tools.updates._watching.port import SourceDownError, Validators

_LONGEST_WAIT: Final = timedelta(hours=6)  # whatever a server says
_LONGEST_VALIDATOR: Final = 500
_REFUSALS: Final = {
    401: "it wants a login, or refuses the one that is configured (HTTP 401)",
    403: "it refuses to tell (HTTP 403)",
    404: "nothing is there (HTTP 404)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Asks one server for one source, at a time, with bodies of so many bytes."""

    http: Outbound
    now: datetime
    max_body_bytes: int

    async def fresh(
        self, url: str, headers: Mapping[str, str], before: Validators
    ) -> HttpAnswer | None:
        """The answer, or None for nothing new. Raises SourceDownError."""
        answer = await self.get(url, {**headers, **before.conditions})
        return self.changed(answer, before)

    def changed(self, answer: HttpAnswer, before: Validators) -> HttpAnswer | None:
        """The same; None where it says that nothing is new. Raises SourceDownError."""
        if answer.status == 304 and before.conditions:
            return None
        self.check(answer)
        return answer

    async def get(self, url: str, headers: Mapping[str, str], method: str = "GET") -> HttpAnswer:
        """The answer whatever its status. Raises SourceDownError."""
        try:
            return await self.http.request(
                method, url, headers=headers, max_body_bytes=self.max_body_bytes
            )
        except AnswerTooLargeError as exc:
            most = self.max_body_bytes // 1_000_000
            raise SourceDownError(f"its answer is larger than {most} MB") from exc
        except OutboundRefusedError as exc:
            raise SourceDownError(f"it is not read: {exc.phrase}") from exc
        except OutboundError as exc:
            why = f"its address cannot be reached: {exc.phrase}"
            raise SourceDownError(why, detail=exc.phrase) from exc

    def check(self, answer: HttpAnswer) -> None:
        """Raises SourceDownError for everything but success."""
        if answer.status == 200:
            return
        wait = self.wait(answer)
        if answer.status == 429 or (answer.status == 403 and wait):
            raise SourceDownError(f"it was asked too often (HTTP {answer.status})", wait=wait)
        said = _REFUSALS.get(answer.status, f"HTTP {answer.status}")
        raise SourceDownError(said, wait=wait)

    def wait(self, answer: HttpAnswer) -> timedelta:
        """For how long the server wants to be left alone."""
        later = _read_later(answer.headers.get("Retry-After", ""), self.now)
        if later is None and answer.headers.get("X-RateLimit-Remaining", "").strip() == "0":
            reset = answer.headers.get("X-RateLimit-Reset", "").strip()
            if reset.isdecimal() and len(reset) < 12:
                later = timedelta(seconds=int(reset) - self.now.timestamp())
        return min(max(later or timedelta(0), timedelta(0)), _LONGEST_WAIT)


def validators_of(answer: HttpAnswer) -> Validators:
    """Those of an answer, if they can be sent back."""
    return Validators(
        etag=_sendable(answer.headers.get("ETag", "")),
        modified=_sendable(answer.headers.get("Last-Modified", "")),
    )


def _sendable(value: str) -> str:
    fits = len(value) <= _LONGEST_VALIDATOR and value.isascii() and value.isprintable()
    return value if fits else ""


def _read_later(text: str, now: datetime) -> timedelta | None:
    """Seconds, or the time of the end."""
    text = text.strip()
    if text.isdecimal() and len(text) < 12:
        return timedelta(seconds=int(text))
    try:
        end = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (end if end.tzinfo else end.replace(tzinfo=UTC)) - now
