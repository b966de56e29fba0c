"""What a homeserver may answer instead of doing what it was asked."""

from datetime import timedelta

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.words.text import Text


class MatrixError(LycatraError):
    """The homeserver refused: `status`, `errcode` and `reason` as it gave them.

    Asking the same again brings the same answer, except in TryLaterError.
    """

    said = Text("homeserver_refused")

    def __init__(
        self,
        status: int,
        errcode: str,
        reason: str,
        *,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(f"{status} {errcode}: {reason}")
        self.status = status
        self.errcode = errcode
        self.reason = reason
        self.retry_after = retry_after


class TryLaterError(MatrixError):
    """Too many requests (429), or the homeserver's own fault (5xx with an errcode).

    `retry_after` is what the homeserver asked for, not limited to anything sensible.
    """

    said = Text("homeserver_busy")
    retryable = True
    outlasted = True


class TooManyBytesError(LycatraError):
    """Somebody's media is larger than we read."""


class HomeserverUnavailableError(LycatraError):
    """No answer of a homeserver: network, time-out, or something in between that speaks no JSON.

    The request may have been carried out all the same.
    """

    said = Text("homeserver_away")
    retryable = True
    outlasted = True
