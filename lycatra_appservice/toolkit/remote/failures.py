"""Why a call of a server did not work, as sentences for whoever asked."""

from lycatra_appservice.errors import LycatraError, ToolFailedError
from lycatra_appservice.words.text import Said, Text


class RemoteError(LycatraError):
    """A call failed; `is_open`: it may have been carried out all the same."""

    def __init__(self, why: str, said: Said, *, is_open: bool = False) -> None:
        super().__init__(why)
        self.said = said
        self.is_open = is_open

    def for_people(self, *, changes: bool) -> ToolFailedError:
        """As the gate wants it."""
        in_doubt = self.is_open and changes
        failed = ToolFailedError(
            Text("change_uncertain", said=self.said) if in_doubt else self.said
        )
        failed.in_doubt = in_doubt
        return failed


def away(name: str, why: str) -> RemoteError:
    """Nothing was asked."""
    return RemoteError(f"{name} is away: {why}", Text("remote_away", server=name))


def lost(name: str, why: str) -> RemoteError:
    """The connection has ended while the answer was waited for."""
    return RemoteError(f"{name}: {why}", Text("remote_lost", server=name), is_open=True)


def too_slow(name: str) -> RemoteError:
    """It has not answered in its time."""
    return RemoteError(f"{name} is too slow", Text("remote_too_slow", server=name), is_open=True)


def nonsense(name: str, why: str) -> RemoteError:
    """What it answered is not what it has promised, or not the protocol's."""
    return RemoteError(f"{name}: {why}", Text("remote_nonsense", server=name), is_open=True)


def refused(name: str, words: str) -> RemoteError:
    """It says itself that it did not work."""
    if not words:
        return RemoteError(f"{name} refused", Text("remote_refused", server=name))
    return RemoteError(f"{name} refused", Text("remote_said", server=name, words=words))
