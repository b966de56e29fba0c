"""Answers in threads: where they go, what is remembered there, and who needs a name."""

from collections.abc import Sequence

import pytest

from lycatra_appservice.model import JSON, UserID
from tests.support.model_server import ModelServer, says
from tests.support.scene import EVERYBODY, MAIN, OTHER, PERSON, STRANGER, UPDATES, Said, Scene
from tests.support.turns import query

THREE = (*EVERYBODY, STRANGER)
HINT = "As long as only you write here, I need no name."


def in_thread(root: str, fallback: str = "$x") -> dict[str, JSON]:
    """The relation that clients write for a message in a thread."""
    return {
        "rel_type": "m.thread",
        "event_id": root,
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": fallback},
    }


def thread_of(said: Said) -> str | None:
    relation = said.content.get("m.relates_to", {})
    return relation["event_id"] if relation.get("rel_type") == "m.thread" else None


async def begin(scene: Scene, model: ModelServer, words: str = "lycatra: which colour?") -> Said:
    model.will(says("Blue."))
    [answer] = await scene.ask(words)
    return answer


def told(model: ModelServer) -> Sequence[str]:
    """What the model was told last, but for the instructions."""
    return model.asked[-1].said


async def test_among_three_an_answer_begins_a_thread_that_remembers(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*THREE)
    first = await begin(asking, model)
    model.will(says("Because."))

    [second] = await asking.ask("why?", m_relates_to=in_thread("$pushed1"))

    assert thread_of(first) == thread_of(second) == "$pushed1"
    assert told(model) == [f"{PERSON}: which colour?", "Blue.", f"{PERSON}: why?"]


async def test_another_question_in_the_room_is_another_conversation(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*THREE)
    await begin(asking, model)
    second = await begin(asking, model, "lycatra: and which number?")

    assert thread_of(second) == "$pushed2"
    assert told(model) == [f"{PERSON}: and which number?"]


async def test_two_people_talk_in_one_timeline(asking: Scene, model: ModelServer) -> None:
    asking.seat(*EVERYBODY)

    answer = await begin(asking, model)

    assert thread_of(answer) is None
    assert answer.content["m.relates_to"] == {"m.in_reply_to": {"event_id": "$pushed1"}}


async def test_a_command_is_answered_below_it_and_not_in_a_thread(scene: Scene) -> None:
    scene.seat(*THREE)

    [answer] = await scene.ask("!list updates")

    assert thread_of(answer) is None


@pytest.mark.parametrize(
    ("people", "wish", "thread"),
    [(THREE, "plain", None), (EVERYBODY, "thread", "$pushed1"), (EVERYBODY, "nonsense", None)],
)
async def test_the_room_may_wish_otherwise(
    asking: Scene, model: ModelServer, people: Sequence[UserID], wish: str, thread: str | None
) -> None:
    asking.seat(*people)
    await choose(asking, f'{{"reply": "{wish}"}}')

    answer = await begin(asking, model)

    assert thread_of(answer) == thread


async def choose(scene: Scene, chosen: str) -> None:
    await query(
        scene.database,
        "INSERT INTO room_settings (room, chosen, set_by, at) VALUES (:room, :chosen, 'x', 0)",
        room="!room-of-version-12",
        chosen=chosen,
    )


async def test_a_second_person_makes_names_necessary_again(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*THREE)
    answer = await begin(asking, model)
    model.will(says("Because."))
    relation = in_thread("$pushed1", fallback=asking.last_event_id())

    assert await asking.ask("blue, really?", sender=OTHER, m_relates_to=relation) == []
    assert await asking.ask("I told you so", m_relates_to=relation) == []
    [named] = await asking.ask("lycatra: why?", sender=OTHER, m_relates_to=relation)

    assert (named.by, thread_of(named)) == (answer.by, "$pushed1")
    assert told(model) == [f"{PERSON}: which colour?", "Blue.", f"{OTHER}: why?"]


async def test_the_thread_of_a_question_of_somebody_else_has_a_second_person(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*THREE)
    await begin(asking, model)

    assert await asking.ask("hm", sender=OTHER, m_relates_to=in_thread("$pushed1")) == []


async def test_a_reply_in_a_thread_to_what_we_said_needs_no_name(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*THREE)
    await begin(asking, model)
    answer_id = asking.last_event_id()
    await asking.ask("hm", sender=OTHER, m_relates_to=in_thread("$pushed1"))
    model.will(says("Because."))
    relation = {**in_thread("$pushed1", fallback=answer_id), "is_falling_back": False}

    [answer] = await asking.ask("why?", sender=OTHER, m_relates_to=relation)

    assert (answer.by, thread_of(answer)) == (MAIN, "$pushed1")


async def test_a_client_without_threads_goes_on_where_it_replies(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*THREE)
    await begin(asking, model)
    reply: JSON = {"m.in_reply_to": {"event_id": asking.last_event_id()}}
    model.will(says("Because."))

    [answer] = await asking.ask("why?", m_relates_to=reply)

    assert thread_of(answer) == "$pushed1"
    assert told(model) == [f"{PERSON}: which colour?", "Blue.", f"{PERSON}: why?"]


async def test_a_reset_in_a_thread_leaves_the_others_as_they_are(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*THREE)
    await begin(asking, model)
    await begin(asking, model)
    await asking.ask("!reset", m_relates_to=in_thread("$pushed1"))
    model.will(says("x"), says("x"))

    await asking.ask("why?", m_relates_to=in_thread("$pushed1"))
    assert told(model) == [f"{PERSON}: why?"]
    await asking.ask("why?", m_relates_to=in_thread("$pushed2"))
    assert told(model) == [f"{PERSON}: which colour?", "Blue.", f"{PERSON}: why?"]


async def test_the_first_thread_with_a_person_says_how_to_go_on(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*THREE)
    first = await begin(asking, model)
    second = await begin(asking, model)
    model.will(says("Blue."))
    [others] = await asking.ask("lycatra_updates: which colour?", sender=OTHER)

    assert first.body == f"Blue.\n\nWrite on in this thread and I remember what was said. {HINT}"
    assert second.body == "Blue."
    assert (others.by, HINT in others.body) == (UPDATES, True)


async def test_nobody_is_told_how_to_go_on_where_no_thread_begins(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(PERSON, MAIN)
    assert HINT not in (await begin(asking, model)).body


async def test_hints_that_are_not_wanted_are_not_given(asking: Scene, model: ModelServer) -> None:
    asking.seat(*THREE)
    await choose(asking, '{"quiet": ["hints"]}')

    assert (await begin(asking, model)).body == "Blue."


async def test_an_apology_gives_no_hint(scene: Scene) -> None:
    scene.seat(*THREE)

    [answer] = await scene.ask("lycatra: which colour?")

    assert HINT not in answer.body
