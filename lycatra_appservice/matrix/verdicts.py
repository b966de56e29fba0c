"""What becomes of a row that the homeserver refused; the lane always goes on. Pure."""

from datetime import timedelta
from typing import Final

from lycatra_appservice.matrix.amend import (
    is_draft,
    shortened,
    spoken_for,
    without_relation,
)
from lycatra_appservice.matrix.errors import MatrixError, TryLaterError
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import SendKind, UserID
from lycatra_appservice.turns.delivery import (
    Amended,
    Delivered,
    Delivery,
    Dropped,
    RetryLater,
    RoomLost,
    SendRow,
)

# Only an operator can end these: a limit, a locked account, a wrong registration.
_FOR_THE_OPERATOR: Final = frozenset(
    {
        "M_RESOURCE_LIMIT_EXCEEDED",
        "M_USER_DEACTIVATED",
        "M_USER_SUSPENDED",
        "M_USER_LOCKED",
    }
)
# These too, but a rotation of the tokens passes through them in its ordinary course.
_TOKEN_REFUSED: Final = frozenset({"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN"})
_UNTIL_ROTATED: Final = timedelta(seconds=10)
_CANNOT_MASQUERADE: Final = "cannot masquerade"  # Synapse: the registration lacks this user
_SLOWLY: Final = timedelta(minutes=10)
_TOO_MANY: Final = 429
_LONGEST_WAIT: Final = timedelta(minutes=10)  # a homeserver that asks for hours is asked again

_SPEAKS: Final = frozenset({SendKind.MESSAGE, SendKind.CARD, SendKind.EDIT})


def is_for_the_operator(error: MatrixError) -> bool:
    """Whether nothing goes until somebody changes the homeserver; worth an alert."""
    return (
        error.errcode in _FOR_THE_OPERATOR | _TOKEN_REFUSED or _CANNOT_MASQUERADE in error.reason
    )


def judge(row: SendRow, error: MatrixError, users: VirtualUsers) -> Delivery:
    """The rule for this answer to this row."""
    why = str(error)
    if error.errcode in _TOKEN_REFUSED:
        return RetryLater(_UNTIL_ROTATED, why)
    if is_for_the_operator(error):
        return RetryLater(_SLOWLY, why)
    if isinstance(error, TryLaterError):
        refused = error.status == _TOO_MANY  # what is its own fault may have been carried out
        return RetryLater(_clamped(error.retry_after), why, was_refused=refused)
    if error.errcode == "M_UNKNOWN_DEVICE" and users.exists(row.sender):
        return RetryLater(None, why)  # made again a moment ago, and deleted again
    if error.errcode == "M_DUPLICATE_ANNOTATION":
        return Delivered(None)
    if error.errcode == "M_TOO_LARGE" or error.status == 413:
        return _too_large(row, why)
    if error.status in {403, 404} or error.errcode == "M_UNKNOWN_DEVICE":
        return _refused(row, why, users)
    return _bad(row, error)


def _clamped(wait: timedelta | None) -> timedelta | None:
    return None if wait is None else min(wait, _LONGEST_WAIT)


def _too_large(row: SendRow, why: str) -> Delivery:
    short = shortened(row.content) if row.kind in _SPEAKS else None
    return Dropped(why) if short is None else Amended(None, short, why)


def _refused(row: SendRow, why: str, users: VirtualUsers) -> Delivery:
    match row.kind:
        case SendKind.LEAVE:
            return Delivered(None)  # not in the room: what was wanted
        case SendKind.JOIN:
            return Dropped(why)  # what this user wanted to say comes to the rule below
        case SendKind.MESSAGE | SendKind.CARD | SendKind.EDIT:
            return _silenced(row, why, users)
        case SendKind.REACTION | SendKind.REDACTION | SendKind.UPLOAD:
            return Dropped(why) if row.sender == users.main else Amended(users.main, None, why)


def _silenced(row: SendRow, why: str, users: VirtualUsers) -> Delivery:
    if row.sender == users.main:
        return RoomLost(why)
    if row.kind is SendKind.EDIT and is_draft(row.content):
        return Dropped(why)  # the last edit will be spoken; each of the others would be a message
    return Amended(users.main, spoken_for(row.content, _name_of(row.sender, users)), why)


def _name_of(user_id: UserID, users: VirtualUsers) -> str:
    # A namespace may have gone from the configuration since its row was written.
    return users.display_name(user_id) if users.exists(user_id) else users.localpart_of(user_id)


def _bad(row: SendRow, error: MatrixError) -> Delivery:
    why = str(error)
    if error.errcode == "M_UNKNOWN" and row.kind in _SPEAKS and "m.relates_to" in row.content:
        if row.kind is SendKind.EDIT and is_draft(row.content):
            return Dropped(why)
        return Amended(None, without_relation(row.content), why)
    return Dropped(why)
