"""A quick look at what a crowd says: most of what is pushed, and hardly any of it for us. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence

from lycatra_appservice.chat.commands import CommandWords
from lycatra_appservice.chat.small_talk import INVISIBLE
from lycatra_appservice.chat.spellings import any_of, names_of
from lycatra_appservice.matrix.events import mapping, text
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, RoomID


class CrowdTalk:
    """Tells messages that cannot be meant for us from those that have to be read.

    It may be wrong in one direction only: what `Addressing` or the commands would find must be
    read. A test holds it to that.
    """

    def __init__(
        self, users: VirtualUsers, commands: CommandWords, before_a_name: Sequence[str]
    ) -> None:
        """`before_a_name` are the greetings that may stand before a name at the beginning."""
        self._commands = commands
        names = {name for user in users.all for name in names_of(users, user)}
        # "(?:" only for speed: most messages begin with none of the letters of our names.
        self._name_at_start = re.compile(
            rf"[\s{INVISIBLE}]*+(?:(?:{any_of(before_a_name)})[^\w@\uff20]++)?"
            rf"[@\uff20]?(?:{any_of(sorted(names))})",
            re.IGNORECASE,
        )
        # Every id of ours begins with that of the first.
        self._id = re.compile(re.escape(users.main.partition(":")[0]), re.IGNORECASE)

    def is_idle(self, event: JSON, is_crowd: Callable[[RoomID], bool]) -> bool:
        """Whether this is a crowd's message that names nobody of ours and is no command.

        Of any JSON value: it comes before all other checks, which cost more than itself.
        """
        if not isinstance(event, dict) or event.get("type") != "m.room.message":
            return False
        room, content = event.get("room_id"), event.get("content")
        return (
            isinstance(room, str)
            and isinstance(content, dict)
            and "state_key" not in event
            and is_crowd(RoomID(room))
            and not self._points_somewhere(content)
            and not self._is_for_us(text(content.get("body")))
        )

    @staticmethod
    def _points_somewhere(content: Mapping[str, JSON]) -> bool:
        """Whether it relates to an event, mentions people, or holds a link that may be a pill.

        Also whether it has formatted words only, of which the plain ones are yet to be made.
        """
        formatted = text(content.get("formatted_body"))
        return (
            "m.relates_to" in content
            or bool(mapping(content.get("m.mentions")))
            or "<a" in formatted
            or "<A" in formatted
            or (bool(formatted) and not text(content.get("body")).strip())
        )

    def _is_for_us(self, body: str) -> bool:
        return (
            ("@" in body and self._id.search(body) is not None)
            or self._name_at_start.match(body) is not None
            or self._commands.begins_command(body)
        )
