import pytest

from lycatra_appservice.agent.thinking import ThinkingFilter


def heard(*pieces: str) -> tuple[str, str]:
    """What was shown on the way, and the text in the end."""
    spoken = ThinkingFilter()
    shown = "".join([*(spoken.feed(piece) for piece in pieces), spoken.finish()])
    return shown, spoken.text


@pytest.mark.parametrize(
    ("whole", "visible"),
    [
        ("<think>hm</think>Yes.", "Yes."),
        ("Yes<think>hm</think>, no", "Yes, no"),
        ("<thinking>hm</thinking>Yes.", "Yes."),
        ("<think>a</think><think>b</think>Yes.", "Yes."),
        ("<think>never closed", ""),
        ("a < b and <th> and <thin", "a < b and <th> and <thin"),
        ("", ""),
    ],
)
def test_thinking_is_stripped_wherever_the_stream_is_cut(whole: str, visible: str) -> None:
    assert heard(whole) == (visible, visible)
    assert heard(*whole) == (visible, visible)
    for cut in range(len(whole)):
        assert heard(whole[:cut], whole[cut:]) == (visible, visible)


def test_what_stands_before_a_lone_end_was_thinking() -> None:
    assert heard("hm, let me see", "</think>", "Yes.")[1] == "Yes."


def test_text_is_shown_at_once_unless_it_may_become_a_tag() -> None:
    spoken = ThinkingFilter()
    assert spoken.feed("Yes <") == "Yes "
    assert spoken.feed("b>") == "<b>"
