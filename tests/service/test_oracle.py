"""The oracle itself: it must find fault where there is one, or no service test means anything."""

import pytest

from lycatra_appservice.model import JSON
from tests.support.oracle import Findings, examine

ASKED = ("$a", "$b", "$c")


def answer(to: str, part: int = 1, of: int = 1) -> JSON:
    mark = {"to": to, "part": part, "of": of, "kind": "message"}
    return {"type": "m.room.message", "content": {"org.lycatra.reply": mark}}


def findings(**found: tuple[str, ...]) -> Findings:
    nothing: dict[str, tuple[str, ...]] = {
        "lost": (), "doubled": (), "disordered": (), "unasked": (),
    }  # fmt: skip
    return Findings(**{**nothing, **found})


def test_a_room_where_each_question_has_its_answer_is_clean() -> None:
    edit = answer("$a")
    edit["content"]["m.relates_to"] = {"rel_type": "m.replace", "event_id": "$1"}
    events = [answer("$a"), answer("$b", 1, 2), answer("$b", 2, 2), edit, answer("$c")]
    assert examine(events, ASKED).clean


@pytest.mark.parametrize(
    ("events", "wrong"),
    [
        pytest.param(
            [answer("$a"), answer("$c")], findings(lost=("$b",)), id="an answer is missing"
        ),
        pytest.param(
            [answer("$a"), answer("$b", 2, 2), answer("$c")],
            findings(lost=("$b",)),
            id="a part is missing",
        ),
        pytest.param(
            [answer("$a"), answer("$b"), answer("$b"), answer("$c")],
            findings(doubled=("$b",)),
            id="an answer came twice",
        ),
        pytest.param(
            [answer("$a"), answer("$c"), answer("$b")],
            findings(disordered=("$c", "$b")),
            id="two answers are swapped",
        ),
        pytest.param(
            [*map(answer, ASKED), answer("$other")],
            findings(unasked=("$other",)),
            id="an answer to nothing",
        ),
    ],
)
def test_the_oracle_says_what_is_wrong(events: list[JSON], wrong: Findings) -> None:
    found = examine(events, ASKED)
    assert found == wrong
    assert not found.clean
