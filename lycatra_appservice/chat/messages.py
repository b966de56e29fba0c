"""The chat's fixed texts by name, each with what is filled in; the words are in the catalogue."""

from collections.abc import Sequence
from datetime import timedelta

from lycatra_appservice.model import UserID
from lycatra_appservice.words.text import Said, Text


def unknown_command(words: str, suggestions: Sequence[str]) -> Text:
    """For a command that is no tool."""
    if not suggestions:
        return Text("unknown_command", words=words)
    meant: Said = f"`!{suggestions[-1]}`"
    for suggestion in reversed(suggestions[:-1]):
        meant = Text("or", first=f"`!{suggestion}`", second=meant)
    return Text("unknown_command_near", words=words, meant=meant)


def unclear_arguments(problem: Said, example: str) -> Text:
    """For a known tool with words that cannot be its arguments."""
    return Text("unclear_arguments", problem=problem, example=example)


def tool_refused(sentence: Said, problems: Sequence[Said]) -> Text:
    """For a tool that was not run, or failed."""
    return Text("lines", lines=[sentence, *(Text("item", said=each) for each in problems)])


def no_model() -> Text:
    """For a question where no language model is configured."""
    return Text("no_model")


def may_not_ask() -> Text:
    """For a question of a person without rights."""
    return Text("may_not_ask")


def took_too_long(patience: timedelta) -> Text:
    """For a question whose answer was not ready in time."""
    return Text("took_too_long", seconds=round(patience.total_seconds()))


def was_reset() -> Text:
    """After `!reset`."""
    return Text("was_reset")


def too_old(age: timedelta) -> Text:
    """For a room where something was asked while we could not answer."""
    return Text("too_old", age=_roughly(age))


def failed(sentence: Said) -> Text:
    """For a turn that ended without an answer."""
    return Text("failed", sentence=sentence)


def refused_invitation() -> Text:
    """The reason for leaving a room to which somebody invited us who may not."""
    return Text("refused_invitation")


def technical_user(main: UserID) -> Text:
    """The reason for leaving a room to which the technical user was invited."""
    return Text("technical_user", main=main)


def in_the_name_of(display_name: str, said: Said) -> Text:
    """For an answer that @lycatra gives for a virtual user that is not in the room."""
    return Text("in_the_name_of", name=display_name, said=said)


def _roughly(span: timedelta) -> Text:
    minutes = round(span.total_seconds() / 60)
    for unit, length in (("days", 24 * 60), ("hours", 60)):
        if minutes >= 2 * length:
            return Text(unit, n=round(minutes / length))
    return Text("minutes", n=minutes)
