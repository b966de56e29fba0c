"""Every way in which a model server misbehaves: what people read, and what it is asked then."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from tests.support.model_server import (
    DONE,
    Asked,
    ModelServer,
    Reply,
    calls,
    delta,
    event,
    refuses,
    says,
    shows_a_page,
    usage,
    writes,
)
from tests.support.scene import EVERYBODY, ModelSettings, open_scene
from tests.support.turns import query, turn_states

UPDATES: Final = '{"limit": 3}'
CHANGING: Final = [calls(("list_updates", json.dumps({"limit": n}))) for n in range(1, 9)]
WORDS: Final = delta(content="There are three")
GREEN: Final = delta(content="Gr") + delta(content="ün <thi") + delta(content="nk>hm</think>😀")
NOT_ANSWERING: Final = "language model is not answering"
LOST: Final = "lost the connection"
TOO_LONG: Final = "`!reset`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`said` is in the one message that the person reads.

    `read` are pieces of what the model is told last of its calls, in their order.
    """

    replies: Sequence[Reply]
    said: str
    requests: int
    read: Sequence[str] = ()
    never: str = "think>"
    settings: Mapping[str, Any] = field(default_factory=dict)


def case(
    name: str,
    *replies: Reply,
    said: str = "Three.",
    requests: int | None = None,
    read: Sequence[str] = (),
    never: str = "think>",
    **settings: Any,
) -> Any:
    wanted = len(replies) if requests is None else requests
    return pytest.param(
        Case(
            replies=replies,
            said=said,
            requests=wanted,
            read=read,
            never=never,
            settings=settings,
        ),
        id=name,
    )


def piece(index: int | None = 0, call_id: str | None = "a", **function: Any) -> bytes:
    """A piece of a tool call."""
    written = {"index": index, "id": call_id, "function": function}
    return delta(tool_calls=[{key: value for key, value in written.items() if value is not None}])


def hangs_up() -> Reply:
    """The connection ends before the headers."""

    async def reply(asked: Asked) -> web.StreamResponse:
        if asked.request.transport is not None:
            asked.request.transport.abort()
        return web.Response()

    return reply


def wrong(arguments: str) -> Reply:
    return calls(("list_updates", arguments))


def keeps_alive() -> Reply:
    """Comments come, and no word."""
    return writes(*[b": ping\n\n"] * 3, end="hang")


TWO: Final = [piece(0, "a", name="list_updates", arguments=UPDATES), piece(1, "b", name="help")]
SAME_INDEX: Final = [TWO[0], piece(0, "b", name="help")]
NO_IDS: Final = [
    piece(0, None, name="list_updates", arguments=UPDATES),
    piece(0, None, name="help", arguments="{}"),
]
NO_INDEXES: Final = [
    piece(None, "a", name="list_updates", arguments=UPDATES),
    piece(None, "b", name="help"),
]
BOTH: Final = ['"updates":3', '"data":{}']
HALF: Final = piece(name="list_updates", arguments='{"li')
ONE: Final = ['"updates":3']

CASES: Final = [
    # replies
    case("whole", says("Thr", "ee.")),
    case(
        "cut in a character",
        *[writes(*[GREEN[n : n + 1] for n in range(len(GREEN))], DONE)],
        said="Grün 😀",
    ),
    case(
        "CRLF, comments",
        writes((b": x\n\n" + GREEN + DONE).replace(b"\n", b"\r\n")),
        said="Grün 😀",
    ),
    case("no space", writes((GREEN + DONE).replace(b"data: ", b"data:")), said="Grün 😀"),
    case("fragments", calls(("list_updates", UPDATES)), says("Three."), read=ONE),
    case("two calls", writes(*TWO, DONE), says("Three."), read=BOTH),
    case("both index 0", writes(*SAME_INDEX, DONE), says("Three."), read=BOTH),
    case("no ids", writes(*NO_IDS, DONE), says("Three."), read=BOTH),
    case("no indexes", writes(*NO_INDEXES, DONE), says("Three."), read=BOTH),
    case(
        "an object",
        writes(piece(name="list_updates", arguments={"limit": 3}), DONE),
        says("Three."),
        read=ONE,
    ),
    case(
        "empty", writes(piece(name="list_updates", arguments=""), DONE), says("Three."), read=ONE
    ),
    case(
        "null", writes(piece(name="list_updates", arguments=None), DONE), says("Three."), read=ONE
    ),
    case(
        "text beside a call",
        calls(("list_updates", UPDATES), text="I look."),
        says("Three."),
        read=ONE,
        never="I look.",
    ),
    case(
        "reasoning",
        writes(delta(reasoning_content="hm"), delta(content="Three."), DONE),
        never="hm",
    ),
    case("only thought", writes(delta(content="<think>hm"), delta("stop"), DONE), says("Three.")),
    case("usage", writes(delta(content="Three."), delta("stop"), usage(9), DONE)),
    # ends
    case("stop beside calls", writes(TWO[0], delta("stop"), DONE), says("Three."), read=ONE),
    case("no reason", writes(delta(content="Three."), DONE)),
    case("length", writes(WORDS, delta("length"), DONE), said="cut"),
    case("content filter", writes(delta("content_filter"), DONE), said="does not let it answer"),
    case("clean end", writes(WORDS), said="There are three"),
    case("before headers", hangs_up(), says("Three.")),
    case("before the first word", writes(end="cut"), says("Three.")),
    case("in the text", writes(WORDS, end="cut"), said=LOST),
    case("in the arguments", writes(HALF, end="cut"), said=LOST),
    case("arguments that end", writes(HALF), says("Three."), read=["cut off"]),
    case("an error after words", writes(WORDS, event({"error": {"message": "no"}})), said=LOST),
    case("an error before", writes(event({"error": {"message": "no"}})), says("Three.")),
    # errors
    case("busy for a second", refuses(429, headers={"Retry-After": "1"}), says("Three.")),
    case("busy for long", refuses(429, headers={"Retry-After": "600"}), said="in 10 minutes"),
    case("500 once", refuses(500), says("Three.")),
    case("500 for ever", *[refuses(500)] * 3, said=NOT_ANSWERING),
    case("503", refuses(503), says("Three.")),
    case("a parameter", refuses(400, {"message": "no stream_options"}), says("Three.")),
    case("401", refuses(401, {"message": "canary"}), said="refuses", never="canary"),
    case("a web page", shows_a_page(), said="refuses", never="proxy.internal"),
    *[
        case(f"overflow {number}", *[refuses(400, error)] * 2, said=TOO_LONG)
        for number, error in enumerate(
            [
                {"message": "no", "code": "context_length_exceeded"},
                {"message": "no", "type": "exceed_context_size_error"},
                {"message": "litellm.ContextWindowExceededError: no", "code": "400"},
            ]
        )
    ],
    # time
    case("a silent server", writes(end="hang"), said="did not begin", first_token_timeout=1),
    case("comments alone", keeps_alive(), said="did not begin", first_token_timeout=1),
    case("a gap", writes(WORDS, end="hang"), said=LOST, idle_timeout=0.5),
    # behaviour
    case("one call for ever", *[calls(("list_updates", UPDATES))] * 3, says("Three.")),
    case("calls for ever", *CHANGING, says("Three.")),
    case("unknown tool", calls(("list_update", "{}")), says("Three."), read=["list_updates"]),
    case(
        "forbidden tool",
        calls(("search_journal", "{}")),
        says("Three."),
        read=["Do not look for another way"],
    ),
    case("no JSON", wrong("{"), says("Three."), read=["not valid JSON"]),
    case("wrong type", wrong('{"limit": "many"}'), says("Three."), read=["limit"]),
    case("too much", wrong('{"limit": 999}'), says("Three."), read=["50"]),
    case("a misspelt field", wrong('{"limt": 3}'), says("Three."), read=["limt"]),
    case("wrong for ever", *[wrong("{")] * 3, said="could not work out how to ask"),
]


@pytest.mark.parametrize("given", CASES)
async def test_one_message_says_what_came_and_no_more_is_asked_than_helps(
    tmp_path: Path, model: ModelServer, given: Case
) -> None:
    model.will(*given.replies)
    times = {name: timedelta(seconds=span) for name, span in given.settings.items()}
    models = {"model": ModelSettings(base_url=model.base_url, **times)}
    async with open_scene(tmp_path, models=models) as scene:
        scene.seat(*EVERYBODY)

        [answer] = await scene.ask("lycatra: please tell me all about it")

        assert given.said in answer.body
        assert given.never not in answer.body
        assert len(model.asked) == given.requests
        if given.read:
            results = [row for row in model.asked[1].messages if row["role"] == "tool"]
            told = [
                piece in row["content"] for piece, row in zip(given.read, results, strict=True)
            ]
            assert all(told), results
        assert list((await turn_states(scene.database)).values()) == ["done"]
        assert not await query(scene.database, "SELECT 1 FROM lane WHERE owner IS NOT NULL")
