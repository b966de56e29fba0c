"""From a message in a room to one line that says what comes of it, as the program decides it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from lycatra_appservice.chat.commands import UnclearArguments, UnclearQuestion, UnknownCommand
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.ignored import Ignored
from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.chat.places import placed
from lycatra_appservice.chat.router import Router, Situation
from lycatra_appservice.chat.routes import (
    Acknowledge,
    Ask,
    Control,
    Explain,
    Ignore,
    Route,
    RunTool,
    RunTools,
    Unseen,
)
from lycatra_appservice.intake.classify import Classifier, Ours
from lycatra_appservice.matrix.events import read_inbound
from lycatra_appservice.matrix.power import PowerLevels
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import (
    JSON,
    EventID,
    Inbound,
    Outgoing,
    Reply,
    RoomID,
    SendKind,
    UserID,
)
from lycatra_appservice.words.catalogue import load_catalogue
from tests.unit.chat.conversing import (
    DOCS,
    MAIN,
    PERSON,
    READER,
    SERVICES,
    TOOLS,
    UPDATES,
    USERS,
)

ANN: Final = PERSON
BEN: Final = UserID("@ben:hs.test")
CLEO: Final = UserID("@cleo:elsewhere.org")
OTHER_BOT: Final = UserID("@other_bot:hs.test")
IGNORED: Final = Ignored([OTHER_BOT])
ROOM: Final = RoomID("!room-ids-of-version-12-have-no-server")
QUESTION: Final = EventID("$question")

# What the database knows: who of us said what, and which threads we answer in.
SAID: Final[Mapping[str, UserID]] = {
    "$lycatra-said": MAIN,
    "$updates-said": UPDATES,
    "$said-in-our-thread": MAIN,
}
THREADS_OF_OURS: Final = {"$our-thread": False, "$thread-with-ben": True}  # whether others write
THREAD_OF: Final = {"$said-in-our-thread": EventID("$our-thread")}

NAMES: Final = {MAIN: "lycatra", UPDATES: "updates", SERVICES: "services", DOCS: "docs"}
HOME: Final = {tool.name: namespace for namespace, tools in TOOLS.items() for tool in tools}

COMPOSER: Final = Composer(USERS, Tongue(load_catalogue()))
CLASSIFIER: Final = Classifier(USERS, READER, IGNORED)


def room(*members: UserID, public: bool = False, more: int = 0, **chosen: JSON) -> RoomView:
    """A room with these members, and `more` people whose names do not matter."""
    people = [member for member in members if not USERS.is_ours(member)]
    crowd = [UserID(f"@person{n}:hs.test") for n in range(more)]
    return RoomView(
        room_id=ROOM,
        name=None,
        encrypted=False,
        people=dict.fromkeys([*people, *crowd]),
        ours=frozenset(member for member in members if USERS.is_ours(member)),
        is_public=public,
        power=PowerLevels(content={"users": {MAIN: 50}}),
        chosen=chosen,
    )


ROOMS: Final = {
    "dm": room(ANN, MAIN),
    "updates' dm": room(ANN, UPDATES),
    "dm of two of us": room(ANN, UPDATES, SERVICES),
    "public dm": room(ANN, MAIN, public=True),
    "pair": room(ANN, BEN, MAIN, UPDATES, SERVICES),
    "group": room(ANN, BEN, CLEO, MAIN, UPDATES, SERVICES),
    "group of lycatra": room(ANN, BEN, CLEO, MAIN),
    "updates' group": room(ANN, BEN, CLEO, UPDATES, SERVICES),
    "group with a bot": room(ANN, BEN, OTHER_BOT, MAIN, UPDATES, SERVICES),
    "plain group": room(ANN, BEN, CLEO, MAIN, UPDATES, reply="plain"),
    "threaded dm": room(ANN, MAIN, reply="thread"),
    "labelled group": room(ANN, BEN, CLEO, MAIN, virtual_users="label"),
    "public": room(ANN, BEN, MAIN, UPDATES, public=True),
    "wide": room(ANN, BEN, MAIN, more=60),
    "deserted": room(MAIN, UPDATES),
}


def says(
    body: JSON = "", *, sender: str = ANN, mention: str | None = None, **content: JSON
) -> dict[str, JSON]:
    """A message event; `m_relates_to` and the like as keywords."""
    named = {key.replace("m_", "m.", 1): value for key, value in content.items()}
    whole: dict[str, JSON] = {
        "msgtype": "m.text",
        "body": body,
        "m.mentions": {"user_ids": [mention]} if mention else {},
        **named,
    }
    return {
        "type": "m.room.message",
        "event_id": QUESTION,
        "room_id": ROOM,
        "sender": sender,
        "content": whole,
    }


def with_key(key: str, value: JSON, event: Mapping[str, JSON]) -> dict[str, JSON]:
    """The message with something more in its content."""
    return {**event, "content": {**event["content"], key: value}}


def replies(body: str, to: str, **more: JSON) -> dict[str, JSON]:
    """A reply outside of threads."""
    return says(body, m_relates_to={"m.in_reply_to": {"event_id": to}}, **more)


def in_thread(body: str, root: str, **more: JSON) -> dict[str, JSON]:
    """A message in a thread, as Element sends it: with a fallback to what was said before it."""
    relation = {
        "rel_type": "m.thread",
        "event_id": root,
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": "$lycatra-said"},
    }
    return says(body, m_relates_to=relation, **more)


def sends(
    msgtype: str, name: str = "IMG_1.png", caption: str | None = None, mention: str | None = None
) -> dict[str, JSON]:
    """A picture, file or the like, with or without a caption."""
    if caption is None:
        return says(name, msgtype=msgtype, mention=mention)
    return says(caption, msgtype=msgtype, mention=mention, filename=name)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes of a message."""

    who: str  # who of us says something in the room, "-" for nobody
    what: str
    lane: str  # with "?" when only the worker can tell whether it is ours
    place: str


def outcome(where: str, event: JSON, *, has_model: bool = True) -> Outcome:
    """Let the program decide, as the way in and then the worker do."""
    view = ROOMS[where]
    verdict = CLASSIFIER.classify(event, lambda _: len(view.people) >= 3)
    if not isinstance(verdict, Ours):
        return Outcome("-", "nothing", "never", "-")
    lane = f"{verdict.kind.value}{'' if verdict.surely else '?'}"
    inbound = read_inbound(event, timedelta(0))
    if inbound.replaces is not None:
        return Outcome("-", "an edit", lane, "-")
    situation = _situation(inbound, view)
    route = Router(USERS, READER, has_model=has_model).route(situation)
    if isinstance(route, Ignore):
        return Outcome("-", "nothing", lane, "-")
    rows = _rows(route, situation)
    return Outcome(_who(rows), _what(route), lane, _place(rows[-1]))


def _situation(inbound: Inbound, view: RoomView) -> Situation:
    replied_to = SAID.get(inbound.reply_to or "")
    thread = inbound.thread or THREAD_OF.get(inbound.reply_to or "")
    return Situation(
        inbound=replace(inbound, thread=thread),
        room=view,
        replied_to=replied_to,
        in_our_thread=thread in THREADS_OF_OURS,
        others_in_thread=THREADS_OF_OURS.get(thread or "", False),
        other_bots=any(map(IGNORED.covers, view.people)),
    )


def _rows(route: Route, situation: Situation) -> list[Outgoing]:
    inbound, view = situation.inbound, situation.room
    if isinstance(route, Acknowledge):
        return [COMPOSER.acknowledgement(route.speaker, route.key, inbound, view)]
    if isinstance(route, Ask):
        inbound = placed(inbound, view, COMPOSER.settings(view).reply)
    return [
        row
        for sender in _senders(route)
        for row in COMPOSER.answer(Reply(markdown="x", sender=sender), inbound, view)
    ]


def _senders(route: Route) -> list[UserID]:
    match route:
        case RunTool(command):
            return [_home(command.tool)]
        case RunTools(commands):
            return [_home(command.tool) for command in commands]
        case Ignore():
            return []
        case Ask() | Explain() | Control() | Acknowledge() | Unseen():
            return [route.speaker]


def _home(tool: str) -> UserID:
    return USERS.of(HOME[tool])


def _who(rows: list[Outgoing]) -> str:
    """Who speaks, in order; "updates for lycatra" would be one that speaks for another."""
    said = [row for row in rows if row.kind is not SendKind.JOIN]
    names = [NAMES[row.sender] for row in said]
    coming = {NAMES[row.sender] for row in rows if row.kind is SendKind.JOIN}
    for n, row in enumerate(said):
        label = str(row.content.get("body", "")).partition(":\n")
        if label[1]:
            names[n] += f" for {label[0]}"
        if names[n] in coming:
            names[n] += " comes in"
    return ", ".join(names)


def _what(route: Route) -> str:
    match route:
        case Ask():
            return _question(route)
        case RunTool() | RunTools():
            return _commands(route)
        case Explain(_, problem):
            return _problem(problem)
        case Control(_, word, rest):
            return f"{word} {rest}".strip()
        case Acknowledge(_, key):
            return f"react {key}"
        case Unseen(_, msgtype):
            return f"cannot look at {msgtype}"
        case Ignore():
            return "nothing"


def _question(route: Ask) -> str:
    scope = f" ({route.namespace} only)" if route.namespace else ""
    without = f" without its {route.unseen}" if route.unseen else ""
    return f"ask {route.question!r}{scope}{without}"


def _commands(route: RunTool | RunTools) -> str:
    commands = route.commands if isinstance(route, RunTools) else [route.command]
    written = [f"{each.tool} {each.arguments or ''}".strip() for each in commands]
    return f"run {', '.join(written)}"


def _problem(problem: UnknownCommand | UnclearArguments | UnclearQuestion) -> str:
    if isinstance(problem, UnclearArguments | UnclearQuestion):
        return "cannot be read"
    return f"unknown, near {problem.suggestions[0]}" if problem.suggestions else "unknown"


def _place(row: Outgoing) -> str:
    relation = row.content["m.relates_to"]
    match relation.get("rel_type"):
        case "m.annotation":
            return "reaction"
        case "m.thread":
            return "new thread" if relation["event_id"] == QUESTION else relation["event_id"]
        case _:
            return "reply"
