"""From a release at a forge or a registry to what runs, on a real Synapse."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest

from lycatra_appservice.model import JSON, EventID
from tests.support.docker_swaps import SwappingEngine, on_socket
from tests.support.hook_senders import GITHUB_SECRET, github_request, published
from tests.support.kubernetes_api import KubernetesStandIn, Workload, serving, write_kubeconfig
from tests.support.lycatra import Lycatra
from tests.support.release_peers import Peer, Registry, forge
from tests.support.stage import Room, Stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until

_NEXT_LOOK_SECONDS = 100.0  # a source is looked at once a minute
_API = "ghcr.test/api"
_WELL = {
    "observedGeneration": 4,
    "updatedReplicas": 2,
    "availableReplicas": 2,
    "replicas": 2,
}
_SWIFT = {"health_seconds": 2, "watch_seconds": 0.2, "look_seconds": 0.1}


def settings(stage: Stage, updates: JSON) -> dict[str, JSON]:
    everybody = f"*:{stage.site.homeserver.server_name}"
    return {"access": {"operator": [everybody]}, "tools": {"updates": updates}}


async def subscribed(stage: Stage) -> Room:
    room = await stage.room()
    assert "From now on" in await room.said_to("!subscribe updates")
    return room


async def looked_at(peer: Peer, times: int = 1) -> None:
    """Wait until it was looked at so often from now on."""
    before = len(peer.requests)

    async def more() -> bool:
        return len(peer.requests) >= before + times

    await until(more, "a look at the source", seconds=_NEXT_LOOK_SECONDS)


async def tell(replica: Lycatra, tag: str) -> int:
    body, headers = github_request(published(tag))
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{replica.url}/hooks/github", data=body, headers=headers) as answer,
    ):
        return answer.status


async def cards(room: Room) -> Sequence[JSON]:
    """As they were sent, in order."""
    return [
        event
        for event in await room.events()
        if event["content"].get("org.lycatra.reply", {}).get("kind") == "card"
        and "m.new_content" not in event["content"]
    ]


async def card_about(room: Room, words: str) -> EventID:
    found: list[JSON] = []

    async def came() -> bool:
        found[:] = [card for card in await cards(room) if words in card["content"]["body"]]
        return bool(found)

    await until(came, f"a card about {words!r}", seconds=_NEXT_LOOK_SECONDS)
    return EventID(found[0]["event_id"])


async def told(room: Room, words: str) -> None:
    async def came() -> bool:
        return any(words in str(e["content"].get("body")) for e in await room.events())

    await until(came, f"the words {words!r}")


@pytest.mark.slow
async def test_what_poll_and_hooks_see_at_once_is_put_to_people_once_and_rolled_out_in_a_cluster(
    stage: Stage, tmp_path: Path, postgres_dsn: str
) -> None:
    images = {f"{_API}:1.4": _WELL, f"{_API}:1.5": _WELL}
    workload = Workload(
        kind="Deployment", spec={"replicas": 2}, status=_WELL, statuses=[], outcomes=images
    )
    async with serving(KubernetesStandIn(workload)) as cluster, forge("1.4") as there:
        write_kubeconfig(tmp_path / "kubeconfig", cluster)
        deploy = {
            "service": "shop",
            "kind": "kubernetes",
            "namespace": "shop",
            "workload": "deployment/api",
            "kubeconfig": str(tmp_path / "kubeconfig"),
            **_SWIFT,
        }
        updates = {
            "watch": [there.source()],
            "hooks": {"github": {"secret": GITHUB_SECRET}},
            "deploy": [deploy],
        }
        more = settings(stage, updates)
        first, second = [await stage.replica(postgres_dsn, more=more) for _ in range(2)]
        await first.start()
        await second.start()
        room = await subscribed(stage)
        if not there.requests:
            await looked_at(there)
        there.publish("1.5")
        answers = await asyncio.gather(tell(first, "1.5"), tell(second, "1.5"))
        assert list(answers) == [202, 202]
        await looked_at(there)

        card = await card_about(room, "1.5 is out")
        await room.person.react(room.room_id, card, "✅")
        await told(room, "`shop` runs 1.5, before 1.4")
        await Tables(postgres_dsn).until_idle()
        assert len(await cards(room)) == 1
        assert len(workload.patches) == 1


@pytest.mark.slow
async def test_an_image_in_a_registry_is_proposed_and_one_that_ends_at_once_is_taken_back(
    stage: Stage, tmp_path: Path
) -> None:
    engine, registry = SwappingEngine(), Registry()
    one, two = "registry.example/me/shop:1.0.0", "registry.example/me/shop:2.0.0"
    engine.registry = {one: {}, two: {}}
    engine.pulled[one] = {}
    engine.ends.add(two)
    engine.add("shop", one, status="running")
    async with registry.server, on_socket(engine, tmp_path / "docker.sock") as address:
        deploy = {
            "service": "shop",
            "kind": "docker",
            "container": "shop",
            "engine": address,
            "steady_seconds": 0,
            **_SWIFT,
        }
        more = settings(stage, {"watch": [registry.source()], "deploy": [deploy]})
        async with await stage.replica(sqlite_in(tmp_path), more=more):
            room = await subscribed(stage)
            if not registry.requests:
                await looked_at(registry)
            registry.tags.append("2.0.0")

            card = await card_about(room, "2.0.0 is out")
            await room.person.react(room.room_id, card, "✅")
            await told(room, "`shop` was rolled back to 1.0.0")
            assert engine.images() == {"shop": one}
            assert engine.containers["shop"].status == "running"
