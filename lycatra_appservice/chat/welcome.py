"""The first words in a room: who I am, examples that run by a reaction, where questions go."""

from collections.abc import Mapping, Sequence
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.chat.model_host import ModelAddress, asked_in, where_questions_go
from lycatra_appservice.chat.room_settings import RoomDefaults, RoomSettings
from lycatra_appservice.chat.telling import telling_rank
from lycatra_appservice.matrix.render import MARKER, render_message
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import (
    JSON,
    Address,
    Caller,
    Face,
    Level,
    Outgoing,
    Reply,
    SendKind,
    UserID,
)
from lycatra_appservice.toolkit.base import Effect
from lycatra_appservice.toolkit.registry import AnyTool, Registry
from lycatra_appservice.toolkit.toolbox import Gate
from lycatra_appservice.words.text import Said, Text

CHOICES: Final = "org.lycatra.choices"  # in the content: what each reaction asks
_KEYS: Final = ("1️⃣", "2️⃣", "3️⃣")
_HELP: Final = "!help"
_ASSISTANT: Final = "assistant"  # its tools are about the assistant itself


class Welcome:
    """Finds the words. It only asks the gate who may do what."""

    def __init__(
        self,
        gate: Gate,
        registry: Registry,
        users: VirtualUsers,
        tongue: Tongue,
        defaults: RoomDefaults,
        models: Mapping[str, ModelAddress],
    ) -> None:
        self._gate = gate
        self._registry = registry
        self._users = users
        self._tongue = tongue
        self._defaults = defaults
        self._models = models

    def language(self, room: RoomView) -> str:
        """The language of what is said unasked in a room."""
        return self._tongue.of("", RoomSettings.of(self._defaults, room.chosen).language)

    def introduce(self, speaker: UserID, room: RoomView) -> Said:
        """The first line of one of us who has just come in."""
        namespace = self._users.namespace_of(speaker)
        about = self._registry.namespace(namespace) if namespace else None
        return messages.who_i_am(
            self._users.display_name(speaker),
            is_direct=room.is_direct,
            summary=about.summary if about else None,
        )

    async def rows(
        self,
        first_line: Said,
        person: UserID,
        speaker: UserID,
        room: RoomView,
        marker: Mapping[str, JSON],
        *,
        notice: bool,
    ) -> Sequence[Outgoing]:
        """The message of at most four lines, and the reactions that make its examples run.

        `person` is whose rights decide what is shown; the rows must stay together.
        """
        language = self.language(room)
        asked = await self._examples(person, speaker, room, language)
        choices = dict(zip(_KEYS, asked, strict=False))
        shown = [(key, _as_markdown(text)) for key, text in choices.items()]
        lines = [first_line, messages.welcome_examples(shown), self._where(room)]
        said = self._tongue.say(Text("lines", lines=lines), language)
        reply = Reply(markdown=said, sender=speaker, notice=notice)
        [content] = render_message(reply, Address(room_id=room.room_id), marker)
        message = Outgoing(
            kind=SendKind.MESSAGE,
            room_id=room.room_id,
            sender=speaker,
            content={**content, CHOICES: choices},
        )
        reactions = [
            Outgoing(
                kind=SendKind.REACTION,
                room_id=room.room_id,
                sender=speaker,
                content={
                    "m.relates_to": {"rel_type": "m.annotation", "key": key},
                    MARKER: {**marker, "kind": "choice", "part": 1, "of": 1},
                },
                rows_back=n,
            )
            for n, key in enumerate(choices, start=1)
        ]
        return [message, *reactions]

    def _where(self, room: RoomView) -> Text:
        settings = RoomSettings.of(self._defaults, room.chosen)
        return where_questions_go(asked_in(self._models, settings))

    async def _examples(
        self, person: UserID, speaker: UserID, room: RoomView, language: str
    ) -> Sequence[str]:
        """What this person may ask here, commands and one question, as it would be typed."""
        namespace = self._users.namespace_of(speaker)
        caller = Caller(user_id=person, face=Face.COMMAND, room_id=room.room_id)
        toolbox = await self._gate.open(caller, namespace=namespace)
        tools = self._best(toolbox.tools())
        examples = [f"!{_shortest(tool)}" for tool in tools]
        if self._models and toolbox.level >= Level.VIEWER:
            about = self._registry.namespace_of(tools[0].name).name if tools else None
            question = self._tongue.say(messages.example_question(about), language)
            examples.insert(1, question)
        return [*examples, _HELP][: len(_KEYS)]

    def _best(self, tools: Sequence[AnyTool]) -> Sequence[AnyTool]:
        """First one of each namespace, those first that tell most; nothing that changes."""
        homes = {tool.name: self._registry.namespace_of(tool.name).name for tool in tools}
        looking = sorted(
            (tool for tool in tools if tool.effect is Effect.READ),
            key=lambda tool: telling_rank(tool, homes[tool.name]),
        )
        useful = [tool for tool in looking if homes[tool.name] != _ASSISTANT]
        firsts = {homes[tool.name]: tool for tool in reversed(useful)}
        first = [tool for tool in useful if firsts[homes[tool.name]] is tool]
        return [*first, *(tool for tool in useful if tool not in first)]


def _shortest(tool: AnyTool) -> str:
    """The command without arguments, where it needs none."""
    return tool.example if tool.schema().get("required") else tool.name.replace("_", " ")


def _as_markdown(example: str) -> str:
    return f"`{example}`" if example.startswith("!") else f"*{example}*"
