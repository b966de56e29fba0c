from pathlib import Path

import pytest

from lycatra_appservice.demo.script import ScriptError, ScriptLine, read_script


def test_comments_and_blank_lines_are_not_typed(tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("# hello\n\n  !list updates  \n   # more\nWhat's new? # really\n")

    assert read_script(path) == [
        ScriptLine(number=3, text="!list updates"),
        ScriptLine(number=5, text="What's new? # really"),
    ]


@pytest.mark.parametrize("content", [b"# nothing\n", b"\xff\xfe", None])
def test_a_script_that_cannot_be_typed_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "script"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ScriptError, match=str(path)):
        read_script(path)
