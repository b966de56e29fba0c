"""One tree of errors; a class is an instruction: what the person reads, and whether to try again.

The exception's message is for the log. `user_message` is for people: one sentence, never a
secret, never a provider's own words. Anything that is not in this tree is a bug.
"""

from collections.abc import Sequence
from typing import ClassVar


class LycatraError(Exception):
    """The base of everything we raise on purpose."""

    user_message: str = "Something went wrong on my side. Please try again in a moment."
    retryable: ClassVar[bool] = False
    # Something else is away; a turn is tried again until it is back, without being given up.
    outlasted: ClassVar[bool] = False


class SettingsError(LycatraError):
    """The configuration has mistakes; `problems` holds all of them, one line each."""

    user_message = "The configuration has mistakes."

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class StoreUnavailableError(LycatraError):
    """The database cannot be reached or refuses writing now; whoever asked asks again."""

    user_message = "My database is not reachable right now. I will answer when it is back."
    retryable = True


class StoreBusyError(StoreUnavailableError):
    """The store is in use by another worker, or stayed locked too long."""

    user_message = "My database is busy right now. I will answer when it is free."


class SchemaTooNewError(LycatraError):
    """The database needs a newer program: its `compat` is above our schema version."""

    user_message = "The database belongs to a newer version of Lycatra."


class ToolError(LycatraError):
    """A tool could not do what was asked; the person reads `user_message`, the model too."""

    def __init__(self, user_message: str) -> None:
        super().__init__(user_message)
        self.user_message = user_message


class UnknownToolError(ToolError):
    """No such tool, or one hidden from this person."""


class NotAllowedError(ToolError):
    """The person lacks a right; the message names what is missing and who could do it."""


class InvalidArgumentsError(ToolError):
    """The arguments do not fit; `problems` maps a field to what it takes."""

    def __init__(self, user_message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(user_message)
        self.problems = tuple(problems)


class ToolTimeoutError(ToolError):
    """The tool did not answer within its time."""

    retryable = True


class ToolFailedError(ToolError):
    """The tool says itself why it could not; raise it in a tool with a sentence for people."""


class ModelError(LycatraError):
    """The language model gave no usable answer."""

    user_message = (
        "The language model is not answering right now. Commands like `!help` still work."
    )
    retryable = True


class OutcomeUnknownError(LycatraError):
    """A change had started when its process ended: nobody knows whether it happened."""

    user_message = (
        "I was interrupted while doing this. It may or may not have happened: "
        "please look before you ask again."
    )


class InterruptedByUpdateError(LycatraError):
    """A journaled turn that no running version can replay."""

    user_message = "I was interrupted by an update. Please ask again."


class TurnFailedError(LycatraError):
    """A turn was tried as often as it may be; `reference` finds the cause in the log."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"turn {reference!r} was given up")
        self.user_message = (
            "I could not do this: something went wrong on my side more than once. "
            f"Please tell the person who runs me (reference {reference})."
        )
