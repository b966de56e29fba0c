"""One tree of errors; a class is an instruction: what the person reads, and whether to try again.

The exception's message is for the log. `said` is for people: one sentence, never a secret, never a
provider's own words; what is read in a room is a text of the catalogue, so that everybody reads it
in their language. Anything that is not in this tree is a bug.
"""

from collections.abc import Sequence
from typing import ClassVar

from lycatra_appservice.words.catalogue import in_english
from lycatra_appservice.words.text import Said, Text


class LycatraError(Exception):
    """The base of everything we raise on purpose."""

    said: Said = Text("went_wrong")
    retryable: ClassVar[bool] = False
    # Something else is away; a turn is tried again until it is back, without being given up.
    outlasted: ClassVar[bool] = False

    @property
    def user_message(self) -> str:
        """What people read, in English: for models, MCP clients and operators."""
        return in_english(self.said)


class SettingsError(LycatraError):
    """The configuration has mistakes; `problems` holds all of them, one line each."""

    said = "The configuration has mistakes."

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class StoreUnavailableError(LycatraError):
    """The database cannot be reached or refuses writing now; whoever asked asks again."""

    said = Text("store_away")
    retryable = True


class StoreBusyError(StoreUnavailableError):
    """The store is in use by another worker, or stayed locked too long."""

    said = Text("store_busy")


class SchemaTooNewError(LycatraError):
    """The database needs a newer program: its `compat` is above our schema version."""

    said = "The database belongs to a newer version of Lycatra."


class ToolError(LycatraError):
    """A tool could not do what was asked; the person reads `said`, the model too."""

    in_doubt: bool = False  # of a change: whether it may have happened all the same

    def __init__(self, said: Said) -> None:
        super().__init__(in_english(said))
        self.said = said


class UnknownToolError(ToolError):
    """No such tool, or one hidden from this person."""


class NotAllowedError(ToolError):
    """The person lacks a right; the message names what is missing and who could do it."""


class InvalidArgumentsError(ToolError):
    """The arguments do not fit.

    `said` tells a person everything; `problems` tell a model, a sentence for each argument, what
    it takes.
    """

    def __init__(self, said: Said, problems: Sequence[Said] = ()) -> None:
        super().__init__(said)
        self.problems = tuple(in_english(each) for each in problems)


class ToolTimeoutError(ToolError):
    """The tool did not answer within its time."""

    retryable = True


class ToolFailedError(ToolError):
    """The tool says itself why it could not; raise it in a tool with a sentence for people."""


class ModelError(LycatraError):
    """The language model gave no usable answer."""

    said = Text("model_away")
    retryable = True


class OutcomeUnknownError(LycatraError):
    """A change had started when its process ended: nobody knows whether it happened."""

    said = Text("outcome_unknown")


class InterruptedByUpdateError(LycatraError):
    """A journaled turn that no running version can replay."""

    said = Text("interrupted_by_update")


class TurnFailedError(LycatraError):
    """A turn was tried as often as it may be; `reference` finds the cause in the log."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"turn {reference!r} was given up")
        self.said = Text("gave_up", reference=reference)
