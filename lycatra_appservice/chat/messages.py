"""Every fixed sentence that people read: what happened, and what to do."""

from collections.abc import Sequence
from datetime import timedelta

from lycatra_appservice.model import UserID


def unknown_command(words: str, suggestions: Sequence[str]) -> str:
    """For a command that is no tool."""
    meant = " or ".join(f"`!{each}`" for each in suggestions)
    if meant:
        return f"I do not know the command `!{words}`. Did you mean {meant}?"
    return f"I do not know the command `!{words}`. `!help` shows what I can do."


def unclear_arguments(problem: str, example: str) -> str:
    """For a known tool with words that cannot be its arguments."""
    return f"{problem} An example: `!{example}`"


def tool_refused(sentence: str, problems: Sequence[str]) -> str:
    """For a tool that was not run, or failed."""
    return "\n".join([sentence, *(f"- {problem}" for problem in problems)])


def no_model() -> str:
    """For a question where no language model is configured."""
    return (
        "I cannot answer free questions: no language model is configured here. "
        "Commands still work, `!help` shows them."
    )


def may_not_ask() -> str:
    """For a question of a person without rights."""
    return "I may not answer you here: you have no rights. Ask whoever runs me to add you."


def took_too_long(patience: timedelta) -> str:
    """For a question whose answer was not ready in time."""
    return (
        f"I could not finish the answer within {round(patience.total_seconds())} seconds. "
        "Please ask for less at a time; commands like `!help` still work."
    )


def was_reset() -> str:
    """After `!reset`."""
    return "I start afresh here: what was said before is no longer considered."


def too_old(age: timedelta) -> str:
    """For a room where something was asked while we could not answer."""
    return (
        f"I was away and found a message from about {_roughly(age)} ago. "
        "It is too old to act on, so please ask again if you still need it."
    )


def failed(sentence: str) -> str:
    """For a turn that ended without an answer."""
    return f"⚠️ {sentence}"


def refused_invitation() -> str:
    """The reason for leaving a room to which somebody invited us who may not."""
    return "I only accept invitations from people I am configured for. Ask whoever runs me."


def technical_user(main: UserID) -> str:
    """The reason for leaving a room to which the technical user was invited."""
    return f"This is only a technical account. Please invite {main} instead."


def in_the_name_of(display_name: str, markdown: str) -> str:
    """For an answer that @lycatra gives for a virtual user that is not in the room."""
    return f"**{display_name}:**\n\n{markdown}"


def _roughly(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    for unit, length in (("day", 24 * 60), ("hour", 60)):
        if minutes >= 2 * length:
            return f"{round(minutes / length)} {unit}s"
    return f"{minutes} minutes"
