"""Which model a question goes to: by room, by virtual user, by order, and never by accident."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.settings import NamedModel
from tests.support.model_server import ModelServer, delta, model_server, refuses, says, writes
from tests.support.scene import MAIN, OTHER, PERSON, SERVICES, UPDATES, Scene, open_scene

AWAY = refuses(500, {"message": "no"})


@dataclass(frozen=True)
class Choice:
    """Two models, and a room whose moderator is PERSON."""

    scene: Scene
    home: ModelServer
    cloud: ModelServer

    async def ask(self, body: str = "lycatra, what is new?", **more: Any) -> str:
        [said] = await self.scene.ask(body, **more)
        return said.body

    def metric(self, name: str) -> float:
        text = self.scene.metrics.exposition()[0].decode()
        [line] = [line for line in text.splitlines() if line.startswith(f"{name} ")]
        return float(line.rpartition(" ")[2])


@asynccontextmanager
async def choice_of(
    folder: Path, home: dict[str, Any] | None = None, cloud: dict[str, Any] | None = None
) -> AsyncIterator[Choice]:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(model_server()) for _ in range(2)]
        sections = {"home": home or {}, "cloud": {"local": False, **(cloud or {})}}
        models = {
            name: NamedModel.model_validate(
                {"base_url": server.base_url, "model": f"{name}-model", **section}
            )
            for server, (name, section) in zip(servers, sections.items(), strict=True)
        }
        scene = await stack.enter_async_context(open_scene(folder, models=models))
        power = {"users": {PERSON: 50}}
        members = (PERSON, OTHER, MAIN, SERVICES, UPDATES)
        scene.seat(*members, state={"m.room.power_levels": power})
        yield Choice(scene, *servers)


@pytest.fixture
async def choice(tmp_path: Path) -> AsyncIterator[Choice]:
    async with choice_of(tmp_path) as made:
        yield made


async def test_the_first_of_the_configuration_answers(choice: Choice) -> None:
    choice.home.will(says("From home."))
    assert "From home." in await choice.ask()
    assert choice.home.asked[0].body["model"] == "home-model"


async def test_the_room_chooses_by_name_and_takes_it_back(choice: Choice) -> None:
    assert "`model` is cloud" in (await choice.ask("!settings model cloud")).replace("**", "")
    choice.cloud.will(says("From the cloud."))
    assert "From the cloud." in await choice.ask()
    await choice.ask("!settings model default")
    choice.home.will(says("From home."))
    assert "From home." in await choice.ask()


async def test_a_name_that_is_not_offered_cannot_be_chosen(choice: Choice) -> None:
    said = await choice.ask("!settings model gpt-9")
    assert "cannot be gpt-9" in said.replace("`", "")
    assert all(name in said for name in ("auto", "home", "cloud"))


async def test_who_may_not_change_the_room_chooses_no_model(choice: Choice) -> None:
    assert "Nothing is changed" in await choice.ask("!settings model cloud", sender=OTHER)
    choice.home.will(says("From home."))
    assert "From home." in await choice.ask()


async def test_settings_show_the_models_that_there_are(choice: Choice) -> None:
    said = (await choice.ask("!settings")).replace("`", "")
    assert "model: auto (default) · auto, home, cloud" in said
    assert "local_only: off (default) · off, on" in said


async def test_a_virtual_user_has_its_own_model_unless_the_room_chose_one(
    tmp_path: Path,
) -> None:
    async with choice_of(tmp_path, cloud={"namespaces": ["updates"]}) as choice:
        choice.cloud.will(says("Of the cloud."))
        assert "Of the cloud." in await choice.ask("lycatra_updates, what is new?")
        choice.home.will(says("Of home."), says("Of home, chosen."))
        assert "Of home." in await choice.ask("lycatra_services, is all well?")
        await choice.ask("!settings model home")
        assert "chosen" in await choice.ask("lycatra_updates, what is new?")


async def test_when_the_first_fails_the_next_answers_and_the_person_sees_one_answer(
    choice: Choice,
) -> None:
    choice.home.will(AWAY, AWAY, AWAY)
    choice.cloud.will(says("From the cloud."))
    assert await choice.ask() == "From the cloud."
    assert choice.metric('lycatra_llm_fallbacks_total{backend="home"}') == 1


@pytest.mark.parametrize(
    "status_and_headers", [(401, {}), (404, {}), (429, {"Retry-After": "600"})]
)
async def test_what_no_waiting_helps_goes_on_at_once(
    choice: Choice, status_and_headers: tuple[int, dict[str, str]]
) -> None:
    status, headers = status_and_headers
    choice.home.will(refuses(status, {"message": "no"}, headers=headers))
    choice.cloud.will(says("From the cloud."))
    assert await choice.ask() == "From the cloud."


async def test_after_its_first_word_nobody_begins_anew(choice: Choice) -> None:
    choice.home.will(writes(delta(content="It is half"), end="cut"))
    said = await choice.ask()
    assert "It is half" in said
    assert "lost the connection" in said


@pytest.mark.parametrize(
    "said",
    [
        delta(reasoning_content="hm"),
        delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "list_updates"}}]),
    ],
)
async def test_a_thought_or_half_a_call_is_a_first_word_too(choice: Choice, said: bytes) -> None:
    choice.home.will(writes(said, end="cut"))
    assert "in the middle of its answer" in await choice.ask()
    assert choice.cloud.asked == []


async def test_the_figures_tell_what_each_model_was_asked_and_said(choice: Choice) -> None:
    choice.home.will(refuses(401, {"message": "no"}))
    choice.cloud.will(says("From the cloud.", prompt_tokens=700))
    await choice.ask()
    which = (
        'backend="{0}",{1}gen_ai_operation_name="chat",'
        'gen_ai_provider_name="openai_compatible",gen_ai_request_model="{0}-model"'
    )
    duration = "gen_ai_client_operation_duration_seconds_count"
    refused, well = 'error_type="refused",', 'error_type="",'
    assert choice.metric(f"{duration}{{{which.format('home', refused)}}}") == 1
    assert choice.metric(f"{duration}{{{which.format('cloud', well)}}}") == 1
    tokens = f"{which.format('cloud', '')},gen_ai_token_type="
    assert choice.metric(f'gen_ai_client_token_usage_sum{{{tokens}"input"}}') == 700
    assert choice.metric(f'gen_ai_client_token_usage_sum{{{tokens}"output"}}') == 5
    first = "gen_ai_client_operation_time_to_first_chunk_seconds_count"
    assert choice.metric(f"{first}{{{which.format('cloud', '')}}}") == 1
    assert choice.metric(f"{first}{{{which.format('home', '')}}}") == 0


async def test_in_a_local_only_room_nothing_goes_to_the_cloud(choice: Choice) -> None:
    await choice.ask("!settings local_only on")
    await choice.ask("!settings model cloud")
    choice.home.will(AWAY, AWAY, AWAY)
    assert "not answering right now" in await choice.ask()
    assert choice.cloud.asked == []


async def test_a_local_only_room_without_a_local_model_is_told_so(tmp_path: Path) -> None:
    async with choice_of(tmp_path, home={"local": False}) as choice:
        await choice.ask("!settings local_only on")
        said = await choice.ask()
        assert "none is set up" in said
        assert "!settings local_only off" in said
        await choice.ask("!settings local_only off")
        choice.home.will(says("From home."))
        assert "From home." in await choice.ask()


async def test_a_model_that_keeps_failing_is_left_alone_in_every_room(choice: Choice) -> None:
    choice.home.will(*[AWAY] * 5)
    choice.cloud.will(*[says("From the cloud.")] * 3)
    for _ in range(3):
        assert await choice.ask() == "From the cloud."
    assert len(choice.home.asked) == 5
    assert choice.metric('lycatra_llm_resting{backend="home"}') == 1
    assert choice.metric('lycatra_llm_resting{backend="cloud"}') == 0
