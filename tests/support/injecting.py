"""A model that obeys whoever writes to it, and the ways on which words get to it."""

import asyncio
import json
import tomllib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from aiohttp import web

from lycatra_appservice.model import JSON, EventID, RoomID, UserID
from tests.support.drafting import streams
from tests.support.model_server import Asked, ModelServer, Reply, calls, says
from tests.support.scene import OTHER, Scene

QUESTION: Final = "what is up?"
_PIECE: Final = 9  # characters
_READ_ALONG: Final = 300
_CORPUS: Final = Path(__file__).with_name("injections.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A tool call that the attacker wants, with the arguments as the model writes them."""

    tool: str
    args: JSON

    def written(self, fill: Callable[[str], str]) -> tuple[str, str]:
        """Name and arguments, placeholders filled in."""
        text = self.args if isinstance(self.args, str) else json.dumps(self.args)
        return self.tool, fill(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardExpected:
    """A card by which people are asked about a call; its text holds `target`."""

    tool: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """One attack of the corpus."""

    id: str
    via: str
    words: str
    rounds: Sequence[Sequence[Wanted]] = ()
    says: str = "Done."
    content: Mapping[str, JSON] = field(default_factory=dict)
    card: CardExpected | None = None
    next_card: CardExpected | None = None


def load_injections() -> Sequence[Injection]:
    """The corpus."""
    return [_injection(each) for each in tomllib.loads(_CORPUS.read_text("utf-8"))["injection"]]


def _injection(row: Mapping[str, Any]) -> Injection:
    rounds = [[Wanted(**call) for call in together] for together in row.get("calls", ())]
    cards = {name: CardExpected(**row[name]) for name in ("card", "next_card") if name in row}
    return Injection(
        id=row["id"],
        via=row["via"],
        words=row["words"],
        rounds=rounds,
        says=row.get("says", "Done."),
        content=json.loads(row.get("content", "{}")),
        **cards,
    )


class ObedientModel:
    """Calls and says what an injection wants, whatever it was offered.

    Idle, it only says that it has heard. `filled` are what stands for {names} in its words.
    `pause` lies between pieces of what it says, so that people read along.
    """

    def __init__(self, server: ModelServer) -> None:
        self.server = server
        self.filled: dict[str, str] = {}
        self.pause = 0.0
        self._rounds: Sequence[Sequence[Wanted]] | None = None
        self._says = ""
        server.will(self._reply)

    @property
    def bodies(self) -> Sequence[Mapping[str, Any]]:
        """All that it was asked."""
        return [asked.body for asked in self.server.asked]

    def obey(self, injection: Injection, *first: str) -> None:
        """From now on do what it wants, after calling the tools `first`."""
        before = [[Wanted(tool=tool, args={})] for tool in first]
        self._rounds, self._says = [*before, *injection.rounds], injection.says

    def idle(self) -> None:
        """From now on do nothing."""
        self._rounds = None

    def say(self, text: str) -> None:
        """From now on say this."""
        self._rounds, self._says = (), text

    async def _reply(self, asked: Asked) -> web.StreamResponse:
        self.server.will(self._reply)  # there is always one more
        if self._rounds is None:
            return await says("I have heard you.")(asked)

        def fill(text: str) -> str:
            return _filled(text, {**self.filled, **_echoes(asked)})

        made = _rounds_made(asked.messages)
        if made < len(self._rounds):
            return await calls(*(each.written(fill) for each in self._rounds[made]))(asked)
        return await self._said(fill(self._says))(asked)

    def _said(self, text: str) -> Reply:
        if not self.pause:
            return says(text)
        slowly, rest = text[:_READ_ALONG], text[_READ_ALONG:]
        pieces = [slowly[n : n + _PIECE] for n in range(0, len(slowly), _PIECE)]
        steps = [step for piece in pieces for step in (piece, partial(asyncio.sleep, self.pause))]
        return streams(*steps, rest)


def _rounds_made(messages: Sequence[Mapping[str, Any]]) -> int:
    """How often the model has made calls since the person's last words."""
    roles = [message["role"] for message in messages]
    last = len(roles) - roles[::-1].index("user")
    return sum(1 for message in messages[last:] if message.get("tool_calls"))


def _echoes(asked: Asked) -> Mapping[str, str]:
    return {
        "everything": json.dumps(asked.body, ensure_ascii=False),
        "headers": asked.headers["Authorization"],
    }


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A room in which somebody asks the obedient model."""

    scene: Scene
    model: ObedientModel
    room_id: RoomID
    asker: UserID

    async def ask(self, words: str, *, sender: UserID | None = None, **content: Any) -> None:
        """A message of the asker, or of somebody else, and what comes of it."""
        await self.scene.ask(words, sender=sender or self.asker, room_id=self.room_id, **content)

    def message(self, words: str, *, sender: UserID) -> dict[str, JSON]:
        """A message that is not pushed yet."""
        return self.scene.message(words, sender=sender, room_id=self.room_id)

    def reaction(self, event_id: str, key: str, *, sender: UserID) -> dict[str, JSON]:
        """A reaction that is not pushed yet."""
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        content = {"m.relates_to": relation}
        return self.scene.event("m.reaction", content, sender=sender, room_id=self.room_id)

    def state(self, kind: str, key: str, content: JSON) -> None:
        """Something that is so in the room before anybody looks."""
        self.scene.stub.state[self.room_id, kind, key] = content

    async def obeyed_question(self, injection: Injection, *first: str) -> None:
        """The asker's harmless question, at which the model does what it was told."""
        self.model.obey(injection, *first)
        await self.ask(f"lycatra: {QUESTION}")


Way: TypeAlias = Callable[[Stage, Injection], Awaitable[None]]


async def deliver(stage: Stage, injection: Injection) -> None:
    """Let the words get to the model, and the model obey them when the asker asks something."""
    stage.model.idle()
    await _WAYS[injection.via](stage, injection)


def first_calls(injection: Injection) -> Sequence[str]:
    """What the model calls to read the words at all."""
    tool = _TOOL_OF.get(injection.via)
    return [tool] if tool else []


async def _own_words(stage: Stage, injection: Injection) -> None:
    stage.model.obey(injection)
    await stage.ask(f"lycatra: {injection.words}")


async def _room_text(stage: Stage, injection: Injection) -> None:
    await stage.ask(injection.words, sender=OTHER)
    await stage.obeyed_question(injection)


async def _addressed(stage: Stage, injection: Injection) -> None:
    await stage.ask(f"lycatra: {injection.words}", sender=OTHER)
    await stage.obeyed_question(injection)


async def _reply(stage: Stage, injection: Injection) -> None:
    quoted = stage.message(injection.words.removeprefix("lycatra: "), sender=OTHER)
    await stage.scene.hear(quoted)
    stage.model.obey(injection)
    question = f"lycatra: {QUESTION}"
    quotation = f"<mx-reply><blockquote>{injection.words}</blockquote></mx-reply>"
    await stage.ask(
        f"> <{OTHER}> {injection.words}\n\n{question}",
        format="org.matrix.custom.html",
        formatted_body=quotation + question,
        m_relates_to={"m.in_reply_to": {"event_id": quoted["event_id"]}},
    )


async def _thread(stage: Stage, injection: Injection) -> None:
    begun = stage.message(f"lycatra: {QUESTION}", sender=stage.asker)
    await stage.scene.hear(begun)
    inside = {"rel_type": "m.thread", "event_id": begun["event_id"]}
    await stage.ask(injection.words, sender=OTHER, m_relates_to=inside)
    stage.model.obey(injection)
    await stage.ask("lycatra: and now?", m_relates_to=inside)


async def _edit(stage: Stage, injection: Injection) -> None:
    asked = stage.message("lycatra: good morning to all of you", sender=OTHER)
    await stage.scene.hear(asked)
    await stage.scene.hear(_edited(stage, asked["event_id"], f"lycatra: {injection.words}"))
    await stage.obeyed_question(injection)


async def _foreign_edit(stage: Stage, injection: Injection) -> None:
    asked = stage.message(f"lycatra: {QUESTION}", sender=stage.asker)
    await stage.scene.hear(asked)
    stage.model.obey(injection)
    await stage.scene.hear(_edited(stage, asked["event_id"], injection.words))


async def _html(stage: Stage, injection: Injection) -> None:
    stage.model.obey(injection)
    await stage.ask(
        f"lycatra: {QUESTION}",
        format="org.matrix.custom.html",
        formatted_body=injection.words,
    )


async def _display_name(stage: Stage, injection: Injection) -> None:
    _name(stage, stage.asker, injection.words)
    await stage.obeyed_question(injection)


async def _others_name(stage: Stage, injection: Injection) -> None:
    _name(stage, OTHER, injection.words)
    await stage.ask("lycatra: good morning to all of you", sender=OTHER)
    await stage.obeyed_question(injection)


async def _room_name(stage: Stage, injection: Injection) -> None:
    stage.state("m.room.name", "", {"name": injection.words})
    await stage.obeyed_question(injection)


async def _topic(stage: Stage, injection: Injection) -> None:
    stage.state("m.room.topic", "", {"topic": injection.words})
    await stage.obeyed_question(injection)


async def _file_name(stage: Stage, injection: Injection) -> None:
    stage.model.obey(injection)
    file: dict[str, Any] = {
        "msgtype": "m.file",
        "filename": injection.words,
        "url": "mxc://hs.test/file",
    }
    await stage.ask(f"lycatra: {QUESTION}", **file)


async def _forged(stage: Stage, injection: Injection) -> None:
    event = stage.message(injection.words, sender=OTHER)
    event["content"] |= injection.content
    await stage.scene.hear(event)
    await stage.obeyed_question(injection)


async def _fact(stage: Stage, injection: Injection) -> None:
    await stage.ask(f"!remember {injection.words}", sender=OTHER)
    await stage.obeyed_question(injection, *first_calls(injection))


async def _by_a_tool(stage: Stage, injection: Injection) -> None:
    await stage.obeyed_question(injection, *first_calls(injection))


def _name(stage: Stage, user: UserID, name: str) -> None:
    stage.state("m.room.member", user, {"membership": "join", "displayname": name})


def _edited(stage: Stage, event_id: EventID, words: str) -> dict[str, JSON]:
    new = {"msgtype": "m.text", "body": words, "m.mentions": {}}
    relation = {"rel_type": "m.replace", "event_id": event_id}
    edit = stage.message(f"* {words}", sender=OTHER)
    edit["content"] |= {"m.new_content": new, "m.relates_to": relation}
    return edit


_TOOL_OF: Final = {
    "tool_output": "get_status",
    "tool_error": "read_sensor",
    "document": "read_notes",
    "fact": "recall",
}
_WAYS: Final[Mapping[str, Way]] = {
    "own_words": _own_words,
    "room_text": _room_text,
    "addressed": _addressed,
    "reply": _reply,
    "thread": _thread,
    "edit": _edit,
    "foreign_edit": _foreign_edit,
    "html": _html,
    "display_name": _display_name,
    "others_name": _others_name,
    "room_name": _room_name,
    "topic": _topic,
    "file_name": _file_name,
    "forged": _forged,
    **dict.fromkeys(_TOOL_OF, _by_a_tool),
    "fact": _fact,
}
