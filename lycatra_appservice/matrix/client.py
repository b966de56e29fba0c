"""The thin Matrix client: one request a call, always as one of our users."""

from lycatra_appservice.matrix.account_calls import AccountCalls
from lycatra_appservice.matrix.event_calls import EventCalls
from lycatra_appservice.matrix.key_calls import KeyCalls
from lycatra_appservice.matrix.room_calls import RoomCalls


class MatrixClient(AccountCalls, RoomCalls, EventCalls, KeyCalls):
    """All calls that we make. No hidden request, no retry, no memory; owns no session.

    Every call names its user and that user's device: without a device the homeserver forgets
    our transaction ids when it restarts. All raise MatrixError (TryLaterError when the same may
    go later) or HomeserverUnavailableError.
    """
