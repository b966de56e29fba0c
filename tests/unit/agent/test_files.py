"""What tools draw for the agent goes with its answer, also when the turn is run again."""

import json
from collections.abc import Mapping

from lycatra_appservice.agent.asking import Window
from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.agent.files import MAX_BYTES, MAX_FILES, for_answer
from lycatra_appservice.agent.loop import Agent, Models
from lycatra_appservice.model import JSON, File
from tests.support.model_server import ModelServer, calls, says
from tests.unit.agent.support import Finding, Journal, Toolbox, question

WINDOW = Window(context_tokens=100_000, max_output_tokens=1000)


def a_file(name: str, data: bytes = b"\x89PNG\x00\xff") -> File:
    return File(name=name, content_type="image/png", data=data, description=f"About {name}.")


def drawing(*files: File) -> Toolbox:
    async def draw(arguments: Mapping[str, JSON]) -> JSON:
        return Finding({"drawn": True}, files=files)

    async def read(arguments: Mapping[str, JSON]) -> JSON:
        return {"read": True}

    return Toolbox({"draw_usage": draw, "read_usage": read})


async def test_a_file_of_a_tool_comes_with_the_answer(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(calls(("draw_usage", "{}"), ("read_usage", "{}")), says("See the chart."))

    answer = await Agent(Models.only(backend, WINDOW)).answer(
        question(), drawing(a_file("usage.png")), Journal()
    )

    assert answer.files == (a_file("usage.png"),)


async def test_the_model_reads_what_the_person_will_see_but_not_its_bytes(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(calls(("draw_usage", "{}")), says("See the chart."))

    await Agent(Models.only(backend, WINDOW)).answer(
        question(), drawing(a_file("usage.png")), Journal()
    )

    read = server.asked[-1].messages[-1]["content"]
    assert "About usage.png." in read
    assert "below your answer" in read
    assert "PNG" not in read


async def test_a_turn_that_is_run_again_shows_the_files_of_the_first_run(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(calls(("draw_usage", "{}")), says("See the chart."))
    journal = Journal()
    agent = Agent(Models.only(backend, WINDOW))
    first = await agent.answer(question(), drawing(a_file("usage.png")), journal)

    resumed = Journal(done=json.loads(json.dumps(journal.done)))
    again = await agent.answer(question(), drawing(a_file("another.png")), resumed)

    assert resumed.ran == []
    assert again.files == first.files == (a_file("usage.png"),)


async def test_a_turn_whose_journal_knows_no_files_is_resumed(
    server: ModelServer, backend: ChatCompletionsBackend
) -> None:
    server.will(calls(("read_usage", "{}")), says("Read."))
    journal = Journal()
    agent = Agent(Models.only(backend, WINDOW))
    await agent.answer(question(), drawing(), journal)

    assert "files" not in json.dumps(journal.done)
    assert (await agent.answer(question(), drawing(), Journal(done=journal.done))).files == ()


def test_a_file_drawn_twice_is_shown_once() -> None:
    files = [a_file("a"), a_file("b"), a_file("a")]

    assert for_answer(files) == (a_file("a"), a_file("b"))


def test_of_too_many_files_the_latest_are_shown() -> None:
    files = [a_file(str(n)) for n in range(MAX_FILES + 3)]
    heavy = [a_file(str(n), bytes(MAX_BYTES // 2)) for n in range(3)]

    assert for_answer(files) == tuple(files[3:])
    assert for_answer(heavy) == tuple(heavy[1:])
