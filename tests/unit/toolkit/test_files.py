"""Files of tools: few and small enough to be sent, kept with what is cached."""

from datetime import timedelta

from lycatra_appservice.model import File
from lycatra_appservice.toolkit.base import ToolArgs, ToolContext, ToolResult
from lycatra_appservice.toolkit.files import MAX_ALL_BYTES, MAX_FILE_BYTES, MAX_FILES, in_bytes
from lycatra_appservice.toolkit.results import bounded
from lycatra_appservice.words.catalogue import in_english
from tests.support.toolbench import a_tool, bench

MINUTE = timedelta(seconds=60)


def a_file(name: str = "chart.png", size: int = 3) -> File:
    return File(name=name, content_type="image/png", data=b"x" * size, description="A chart.")


def result(*files: File, note: str | None = None) -> ToolResult:
    return ToolResult(data={}, markdown="", note=note, files=files)


def note_of(found: ToolResult) -> str:
    return in_english(found.note or "")


def test_files_that_fit_are_left_alone() -> None:
    files = tuple(a_file(f"{n}.png") for n in range(MAX_FILES))

    assert bounded(result(*files)) == result(*files)


def test_a_file_too_large_is_left_out_and_the_note_says_how_large_it_was() -> None:
    found = bounded(result(a_file(), a_file("big`.png", MAX_FILE_BYTES + 1), note="Two charts"))

    assert [file.name for file in found.files] == ["chart.png"]
    assert note_of(found) == (
        "Two charts; the file `big'.png` is left out, as its 4.2 MB are too much for a chat"
    )


def test_of_too_many_files_the_first_stay() -> None:
    found = bounded(result(*(a_file(f"{n}.png") for n in range(MAX_FILES + 2))))

    assert [file.name for file in found.files] == [f"{n}.png" for n in range(MAX_FILES)]
    assert "`5.png` is left out" in note_of(found)
    assert "`6.png` is left out" in note_of(found)


def test_files_that_are_too_much_together_are_left_out_but_not_smaller_ones_after_them() -> None:
    half = MAX_ALL_BYTES // 2
    found = bounded(result(a_file("a", half), a_file("b", half - 9), a_file("c", 99), a_file("d")))

    assert [file.name for file in found.files] == ["a", "b", "d"]
    assert "`c` is left out" in note_of(found)


def test_an_empty_file_is_left_out() -> None:
    found = bounded(result(a_file("empty.csv", 0)))

    assert found.files == ()
    assert "it is empty" in note_of(found)


def test_sizes_are_said_as_people_say_them() -> None:
    assert [in_bytes(n) for n in (0, 999, 1000, 14_400, 999_400, 1_000_000, 4_194_305)] == [
        "0 B",
        "999 B",
        "1 kB",
        "14 kB",
        "999 kB",
        "1.0 MB",
        "4.2 MB",
    ]


async def test_a_cached_result_has_its_files() -> None:
    ran: list[None] = []

    async def draw(args: ToolArgs, ctx: ToolContext) -> ToolResult:
        ran.append(None)
        return result(a_file())

    async with bench([a_tool(run=draw, cache_for=MINUTE)]) as on:
        first = await on.toolbox().call("say_something", {})
        again = await on.toolbox().call("say_something", {})

    assert len(ran) == 1
    assert first.files == again.files == (a_file(),)


async def test_large_files_make_room_in_the_cache_for_later_ones() -> None:
    async def draw(args: ToolArgs, ctx: ToolContext) -> ToolResult:
        return result(a_file(size=MAX_FILE_BYTES), a_file(size=MAX_FILE_BYTES))

    async with bench([a_tool(run=draw, cache_for=MINUTE)]) as on:
        for number in range(5):
            await on.toolbox().call("say_something", {"text": str(number)})
        await on.toolbox().call("say_something", {"text": "4"})
        await on.toolbox().call("say_something", {"text": "0"})

        assert on.calls.outcomes[-2:] == ["cached", "ok"]
