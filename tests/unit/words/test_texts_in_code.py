"""The look into the code finds every text, or says where it cannot."""

from pathlib import Path

import pytest

from tests.unit.words.texts_in_code import Named, named_texts, sentences_in_code


def found(tmp_path: Path, source: str) -> list[Named]:
    (tmp_path / "module.py").write_text(source)
    return named_texts(tmp_path)


@pytest.mark.parametrize(
    ("source", "keys", "values"),
    [
        ('Text("a")', ["a"], set()),
        ('text.Text("a", name="x")', ["a"], {"name"}),
        ('Text("a" if x else "b", name=Text)', ["a", "b"], {"name"}),
        ('Text(f"on_{word}" if x else "b")', ["on_[a-z0-9_]+", "b"], set()),
        ('Text("a", **values)', ["a"], {None}),
    ],
)
def test_a_text_is_found_with_its_keys_and_values(
    tmp_path: Path, source: str, keys: list[str], values: set[str | None]
) -> None:
    named = found(tmp_path, f"x = {source}\n")

    assert named == [Named("module.py:1", key, frozenset(values)) for key in keys]


def test_a_key_that_is_put_together_may_be_any_text_with_its_values() -> None:
    texts = {
        "on_stop": {"text": "{name} stops"},
        "on_go": {"text": "it goes"},
        "off": {"text": "{name}"},
    }

    assert Named("here", "on_[a-z0-9_]+", frozenset(["name"])).among(texts) == ["on_stop"]


@pytest.mark.parametrize("source", ["Text(key)", 'Text(f"{a}_b")', 'Text("a" + b)', "Text(*them)"])
def test_a_key_that_nobody_can_check_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(ValueError, match=r"module\.py:2"):
        found(tmp_path, f"\n{source}\n")


def test_texts_within_texts_are_found(tmp_path: Path) -> None:
    assert len(found(tmp_path, 'Text("a", said=[Text("b"), *(Text("c") for _ in x)])')) == 3


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ('Reply(markdown="I do not know.")', True),
        ('Reply(markdown=f"{name} does not know")', True),
        ('{"reason": "not for you"}', True),
        ('raise NotAllowedError("You may not")', True),
        ('said = "It went wrong."', True),
        ("Reply(markdown=messages.no_model())", False),
        ('Reply(markdown=Text("no_model"))', False),
        ('Reply(markdown=f"{one} {two}")', False),
        ('{"body": "word"}', False),
        ('raise ValueError("for the log only")', False),
    ],
)
def test_a_sentence_past_the_catalogue_is_found(
    tmp_path: Path, source: str, is_found: bool
) -> None:
    (tmp_path / "module.py").write_text(f"{source}\n")

    assert sentences_in_code(tmp_path) == (["module.py:1"] if is_found else [])


def test_what_tools_say_is_theirs(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "module.py").write_text('ToolFailedError("It is away.")\n')

    assert sentences_in_code(tmp_path) == []
