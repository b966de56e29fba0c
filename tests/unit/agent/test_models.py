"""What one process does with several models: limits, windows, and what it tells the operator."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from lycatra_appservice.agent.asking import Window
from lycatra_appservice.agent.backend import Backend, ModelQueueFullError, ModelRefusedError
from lycatra_appservice.agent.loop import Agent, Models
from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Attached,
    AttachedKind,
    Message,
    Usage,
    UserMessage,
)
from lycatra_appservice.agent.models import ModelWish, OfferedModel
from lycatra_appservice.agent.ports import HearerPort
from lycatra_appservice.agent.prompt import Question
from lycatra_appservice.agent.silent_cut import CutWatch, SilentCut
from lycatra_appservice.model import UserID
from tests.support.model_server import (
    ModelServer,
    calls,
    model_server,
    refuses,
    says,
)
from tests.unit.agent.conftest import OpenBackend
from tests.unit.agent.support import Journal, Toolbox, question

OVERFLOW = refuses(400, {"message": "x", "code": "context_length_exceeded"})
ANSWER = AssistantMessage(text="I see.")
LONG: list[Message] = [UserMessage(text="x" * 9000), ANSWER]


class Counting:
    def __init__(self) -> None:
        self.cuts: list[str] = []

    def prompt_cut(self, backend: str) -> None:
        self.cuts.append(backend)


def offered(name: str, backend: Backend, window: int = 8192, **more: object) -> OfferedModel:
    return OfferedModel(
        name=name,
        backend=backend,
        window=Window(context_tokens=window),
        watch=CutWatch(f"models.{name}"),
        is_local=bool(more.get("is_local")),
        namespaces=frozenset(),
    )


async def test_what_overflows_one_model_goes_to_one_with_a_larger_window(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    async with model_server() as smaller, model_server() as larger:
        models = Models(
            [
                offered("middle", backend_with()),
                offered("small", backend_with(base_url=smaller.base_url), 4096),
                offered("large", backend_with(base_url=larger.base_url), 100_000),
            ]
        )
        server.will(OVERFLOW, OVERFLOW)
        larger.will(says("It fits."))
        given = await Agent(models).answer(question(history=LONG), Toolbox(), Journal())
        assert given.said == "It fits."
        assert smaller.asked == []
        assert "x" * 9000 in str(larger.asked[0].body)  # shortened for its own window only


async def test_a_model_that_failed_is_not_waited_for_again_in_the_same_turn(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    async def look(_: object) -> object:
        return "found"

    async with model_server() as second:
        backends = [backend_with(), backend_with(base_url=second.base_url)]
        models = Models([offered("a", backends[0]), offered("b", backends[1])])
        server.will(refuses(401, {"message": "no"}))
        second.will(calls(("look", "{}")), says("Done."))
        journal = Journal()
        given = await Agent(models).answer(question(), Toolbox({"look": look}), journal)
    assert given.said == "Done."
    assert [journal.done[f"{n}:model"]["backend"] for n in (1, 2)] == ["b", "b"]


async def test_a_resumed_turn_goes_on_with_the_model_that_had_answered(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    async def look(_: object) -> object:
        return "found"

    async with model_server() as second:
        backends = [backend_with(), backend_with(base_url=second.base_url)]
        models = Models([offered("a", backends[0]), offered("b", backends[1])])
        server.will(refuses(401, {"message": "no"}))
        second.will(calls(("look", "{}")), refuses(401, {"message": "no"}))
        journal = Journal()
        with pytest.raises(ModelRefusedError):
            await Agent(models).answer(question(), Toolbox({"look": look}), journal)

        again = Journal(done=dict(journal.done))
        second.will(says("Done."))
        given = await Agent(models).answer(question(), Toolbox({"look": look}), again)
    assert (given.said, again.ran) == ("Done.", ["2:model"])
    assert len(server.asked) == 1  # not asked for what it had failed at


def test_the_wished_model_comes_first_and_the_others_keep_their_order(
    backend_with: OpenBackend,
) -> None:
    models = Models([offered(name, backend_with()) for name in ("a", "b", "c")])
    assert [each.name for each in models.line_up(ModelWish(name="c"))] == ["c", "a", "b"]
    assert [each.name for each in models.line_up(ModelWish(name="gone"))] == ["a", "b", "c"]


class Places:
    """A model with so many places; keeps how each request was asked for."""

    def __init__(self, places: int) -> None:
        self._free = places
        self.asked: list[bool] = []
        self.freed = 0

    @asynccontextmanager
    async def held(
        self, person: UserID, hearer: HearerPort, *, begun: bool
    ) -> AsyncIterator[None]:
        self.asked.append(begun)
        if not self._free and not begun:
            raise ModelQueueFullError("10 requests wait")
        yield
        self.freed += 1


async def test_where_too_many_wait_the_next_model_is_asked(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    async with model_server() as second:
        full = replace(offered("home", backend_with()), slots=Places(0))
        other = offered("cloud", backend_with(base_url=second.base_url))
        second.will(says("From the cloud."))
        given = await Agent(Models([full, other])).answer(question(), Toolbox(), Journal())
    assert given.said == "From the cloud."
    assert server.asked == []


async def test_where_too_many_wait_for_the_only_model_the_person_is_told(
    backend_with: OpenBackend,
) -> None:
    full = replace(offered("home", backend_with()), slots=Places(0))
    with pytest.raises(ModelQueueFullError):
        await Agent(Models([full])).answer(question(), Toolbox(), Journal())


async def test_a_place_is_free_while_tools_run_and_a_question_is_known_to_have_begun(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    places = Places(1)

    async def look(_: object) -> object:
        assert places.freed == 1
        return "found"

    server.will(refuses(503), calls(("look", "{}")), says("Done."))

    async def no_delay(_: float) -> None:
        """Attempts follow each other at once."""

    models = Models([replace(offered("home", backend_with()), slots=places)])
    agent = Agent(models, delay=no_delay)
    journal = Journal()
    await agent.answer(question(), Toolbox({"look": look}), journal)
    assert places.asked == [False, True, True]
    assert places.freed == 2

    # Another process goes on with it.
    del journal.done["2:model"]
    server.will(says("Done."))
    await agent.answer(question(), Toolbox({"look": look}), journal)
    assert places.asked[-1] is True


@pytest.mark.parametrize(
    ("estimated", "usage", "suspected"),
    [
        (5000, Usage(prompt=2048, completion=5), True),
        (5000, Usage(prompt=2999, completion=5), True),
        (5000, Usage(prompt=3000, completion=5), False),
        (5000, Usage(prompt=0, completion=5), False),  # a server that does not count
        (5000, None, False),
        (900, Usage(prompt=10, completion=5), False),  # too little to know
    ],
)
def test_a_silent_cut_is_suspected_by_the_servers_own_count(
    estimated: int, usage: Usage | None, suspected: bool
) -> None:
    cut = CutWatch("model").look(estimated, usage)
    counted = usage.prompt if usage else 0
    expected = SilentCut(estimated_tokens=estimated, counted_tokens=counted)
    assert cut == (expected if suspected else None)


def test_the_operator_is_told_once_with_the_line_to_change_and_each_one_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counting = Counting()
    watch = CutWatch("models.home", counting)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert watch.look(9000, Usage(prompt=4000, completion=5)) is not None
    [logged] = caplog.records
    assert logged.__dict__["change"].startswith("models.home.context_window: 4096")
    assert counting.cuts == ["home"] * 3


def with_pictures(*data: str) -> Question:
    attached = tuple(
        Attached(kind=AttachedKind.IMAGE, name="cat.png", image=f"data:image/png;base64,{each}")
        for each in data
    )
    return replace(question("What is this?"), attached=attached)


async def test_pictures_go_to_the_first_model_that_looks_at_them(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    async with model_server() as second:
        seeing = backend_with(base_url=second.base_url, images=True)
        models = Models(
            [
                offered("blind", backend_with()),
                replace(offered("seeing", seeing), images=True),
            ]
        )
        second.will(says("A cat."))
        given = await Agent(models).answer(
            with_pictures("QUJD"), Toolbox(), Journal(), ModelWish(pictures=True)
        )
    assert (given.said, given.blind) == ("A cat.", False)
    assert "QUJD" in str(second.asked[0].body)


async def test_pictures_that_were_not_sent_are_not_counted_against_the_server(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    counting = Counting()
    model = replace(
        offered("home", backend_with(images=True), 100_000),
        watch=CutWatch("models.home", counting),
    )
    told = replace(with_pictures(*"ABC"), history=[UserMessage(text="x " * 700), ANSWER])
    server.will(
        refuses(400, {"message": "image_url is not supported by this model"}),
        says("I see nothing.", prompt_tokens=1100),
    )
    given = await Agent(Models([model])).answer(told, Toolbox(), Journal())
    assert (given.said, given.blind) == ("I see nothing.", True)
    assert counting.cuts == []


async def test_where_nothing_else_can_go_a_picture_that_does_not_fit_goes(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    model = offered("home", backend_with(images=True), 4096)
    server.will(OVERFLOW, says("I was shown none."))
    given = await Agent(Models([model])).answer(with_pictures("QUJD"), Toolbox(), Journal())
    assert (given.said, given.blind) == ("I was shown none.", True)
    first, second = (str(asked.body) for asked in server.asked)
    assert "QUJD" in first
    assert "QUJD" not in second
    assert "not shown to you" in second


async def test_a_picture_stays_while_older_talk_can_go(
    server: ModelServer, backend_with: OpenBackend
) -> None:
    model = offered("home", backend_with(images=True), 8192)
    server.will(OVERFLOW, says("A cat."))
    asked = replace(with_pictures("QUJD"), history=LONG)
    given = await Agent(Models([model])).answer(asked, Toolbox(), Journal())
    assert (given.said, given.blind, given.forgot) == ("A cat.", False, True)
    assert "QUJD" in str(server.asked[1].body)
