import asyncio
import io

from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from lycatra_appservice.demo.prompt_screen import PromptScreen
from lycatra_appservice.demo.screens import PlainScreen


async def test_a_pipe_is_read_line_by_line_to_its_end() -> None:
    target = io.StringIO()
    screen = PlainScreen(io.StringIO("one\r\n\ntwo"), target)
    async with asyncio.timeout(5):
        assert [await screen.read() for _ in range(4)] == ["one", "", "two", None]

    screen.show("lycatra", "a\nb\x1b[2J")
    assert target.getvalue() == "lycatra: a\n  b[2J\n"


async def test_a_terminal_edits_lines_and_ends_with_ctrl_d() -> None:
    shown = io.StringIO()
    output = Vt100_Output(shown, lambda: Size(rows=24, columns=80))
    with (
        create_pipe_input() as keys,
        create_app_session(input=keys, output=output),
        PromptScreen("alice") as screen,
    ):
        keys.send_text("!hepl\x1b[D\x7f\x1b[Cp\r")  # left, backspace, right, p
        async with asyncio.timeout(10):
            assert await screen.read() == "!help"
        screen.show("lycatra", "hi \x1b[2J there")
        screen.show_typing(["lycatra"])
        keys.send_text("\x04")
        async with asyncio.timeout(10):
            assert await screen.read() is None
    assert "hi [2J there" in shown.getvalue()
