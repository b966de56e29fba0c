"""Deployments by the image of a workload, asked of a stand-in that speaks the Kubernetes API."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lycatra_appservice.tools.updates._settings import UpdatesSettings
from tests.support.journal import Journal
from tests.support.kubernetes_api import KubernetesStandIn, Workload, serving, write_kubeconfig
from tests.unit.tools.updates.deploying import SWIFT, Desk, desk, phases

IMAGE = "ghcr.test/api"
DIGEST = f"sha256:{'4' * 64}"
ONE, TWO = f"{IMAGE}:1.4@{DIGEST}", f"{IMAGE}:1.5"
REPLACED = "lycatra.org/replaced-image"


def rolled_out(updated: int, available: int, total: int, **more: Any) -> dict[str, Any]:
    return {
        "observedGeneration": 4,
        "updatedReplicas": updated,
        "availableReplicas": available,
        "replicas": total,
        **more,
    }


WELL, HALF = rolled_out(2, 2, 2), rolled_out(1, 2, 3)
GIVEN_UP = rolled_out(
    1,
    2,
    3,
    conditions=[
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"},
    ],
)


@pytest.fixture
def api() -> KubernetesStandIn:
    """Two pods of 1.4, by its digest; 1.5 comes up at once."""
    return KubernetesStandIn(
        Workload(
            kind="Deployment",
            spec={"replicas": 2},
            status=WELL,
            statuses=[],
            image=ONE,
            outcomes={ONE: WELL, TWO: WELL},
        )
    )


@pytest.fixture
async def at(api: KubernetesStandIn, tmp_path: Path) -> AsyncIterator[Desk]:
    async with serving(api) as address:
        write_kubeconfig(tmp_path / "kubeconfig", address)
        async with desk(tmp_path, kubernetes()) as opened:
            yield opened


def kubernetes(**settings: Any) -> dict[str, Any]:
    return {
        "service": "web",
        "kind": "kubernetes",
        "namespace": "shop",
        "workload": "deployment/api",
        "kubeconfig": "kubeconfig",
        **SWIFT,
        "health_seconds": 0.5,
        **settings,
    }


def images_set(api: KubernetesStandIn) -> list[str]:
    return [
        each["spec"]["template"]["spec"]["containers"][0]["image"] for each in api.workload.patches
    ]


# --- what goes well


async def test_the_card_shows_the_image_before_and_after_and_nothing_is_changed(
    api: KubernetesStandIn, at: Desk
) -> None:
    plan = await at.plan("1.5")

    assert plan.steps[:3] == [
        "brings `web` from 1.4 to 1.5",
        f"sets the image of `main` in the deployment `api` in the namespace `shop` "
        f"from `{ONE}` to `{TWO}`",
        "the cluster replaces its pods one after the other",
    ]
    assert plan.now == ["now 2 of 2 pods available, 2 of the newest template"]
    assert api.workload.patches == []


async def test_a_roll_out_that_comes_to_its_end_is_kept(api: KubernetesStandIn, at: Desk) -> None:
    newest = {"observedGeneration": 5}
    api.workload.statuses = [WELL, {**HALF, **newest}, {**WELL, **newest}]
    result = await at.deploy("1.5")

    assert result.data["state"] == "kept"
    assert phases(result) == ["apply", "health check", "watch", "keep"]
    assert images_set(api) == [TWO]
    assert api.workload.notes["kubernetes.io/change-cause"] == f"Lycatra deployed {TWO}"
    assert any("2 of 2 pods available, 1 of the newest template" in each for each in at.said)


async def test_the_other_containers_of_its_pods_stay_as_they_are(
    api: KubernetesStandIn, tmp_path: Path
) -> None:
    api.workload.sidecar = "ghcr.test/side:7"
    async with serving(api) as address:
        write_kubeconfig(tmp_path / "kubeconfig", address)
        async with desk(tmp_path, kubernetes()) as at:
            refused = await at.refusal("1.5")
        async with desk(tmp_path, kubernetes(container="main")) as at:
            result = await at.deploy("1.5")

    assert "it has `main`, `side`. `container` in its settings can say." in refused
    assert result.data["state"] == "kept"
    assert (api.workload.image, api.workload.sidecar) == (TWO, "ghcr.test/side:7")


# --- what fails, and is undone


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (HALF, "not well after 0.5 s: 2 of 2 pods available, 1 of the newest template"),
        (GIVEN_UP, "2 of 2 pods available, 1 of the newest template"),
    ],
)
async def test_a_roll_out_that_does_not_end_is_undone_to_the_very_image_before(
    api: KubernetesStandIn, at: Desk, status: dict[str, Any], why: str
) -> None:
    api.workload.outcomes[TWO] = status
    result = await at.deploy("1.5")

    assert result.markdown.startswith("↩️ **`web` was rolled back to 1.4**: 1.5 failed.")
    assert why in result.data["why"]
    assert images_set(api) == [TWO, ONE]  # digest and all


async def test_an_undoing_that_is_cut_off_keeps_the_digest_when_it_is_done_again(
    api: KubernetesStandIn, at: Desk
) -> None:
    api.workload.outcomes[TWO] = HALF
    again = rolled_out(1, 1, 2)
    api.workload.outcomes[ONE] = again  # so it is there, and not well yet

    def well_at_last(said: str) -> None:
        if "after the roll-back" in said:
            api.workload.outcomes[ONE] = WELL

    at.hear = well_at_last
    result = await at.deploy("1.5", Journal(kill_after=["roll back"]))

    assert result.data["state"] == "rolled_back"
    assert images_set(api) == [TWO, ONE, ONE]
    assert api.workload.notes[REPLACED] == TWO


async def test_an_undoing_that_does_not_end_is_told(api: KubernetesStandIn, at: Desk) -> None:
    api.workload.outcomes |= {TWO: HALF, ONE: HALF}
    result = await at.deploy("1.5")

    assert result.data["state"] == "failed_and_not_rolled_back"
    assert "It was rolled back to 1.4, which is not well after 0.5 s" in result.data["why"]


async def test_a_roll_back_by_hand_brings_the_image_before(
    api: KubernetesStandIn, at: Desk
) -> None:
    await at.deploy("1.5")
    result = await at.call("rollback_update", service="web")

    assert result.markdown.startswith("↩️ **`web` is back at 1.4**, before 1.5.")
    assert images_set(api) == [TWO, ONE]


# --- a cluster that says no, or nothing


async def test_a_cluster_that_lets_nobody_look_is_told_instead_of_a_card(
    api: KubernetesStandIn, at: Desk
) -> None:
    api.refuse["GET"] = 403
    said = await at.refusal("1.5")

    assert "my account needs the right to `get` deployments in the namespace `shop`" in said
    assert "secret-name" not in said


async def test_a_cluster_that_lets_nobody_change_leaves_everything_as_it_was(
    api: KubernetesStandIn, at: Desk
) -> None:
    api.refuse["PATCH"] = 403
    result = await at.deploy("1.5")

    assert result.data["state"] == "not_deployed"
    assert "needs the right to `patch` deployments" in result.markdown
    assert "Nothing was changed." in result.markdown
    assert "secret-name" not in result.markdown


async def test_a_patch_that_nobody_answered_is_looked_after_and_undone(
    api: KubernetesStandIn, at: Desk
) -> None:
    api.hang_up_after_patch = True

    def answer_again(said: str) -> None:
        api.hang_up_after_patch = "apply" in said

    at.hear = answer_again
    result = await at.deploy("1.5")

    assert result.data["state"] == "rolled_back"
    assert images_set(api) == [TWO, ONE]


async def test_a_dead_cluster_is_told_instead_of_a_card(tmp_path: Path) -> None:
    write_kubeconfig(tmp_path / "kubeconfig", "http://127.0.0.1:9")
    async with desk(tmp_path, kubernetes()) as at:
        assert await at.refusal("1.5") == "The cluster cannot be reached."


async def test_a_missing_kubeconfig_is_told_instead_of_a_card(tmp_path: Path) -> None:
    async with desk(tmp_path, kubernetes()) as at:
        said = await at.refusal("1.5")

    assert said == "I cannot reach the cluster: the kubeconfig cannot be used."
    assert str(tmp_path) not in said


async def test_nonsense_is_no_answer(api: KubernetesStandIn, at: Desk) -> None:
    api.nonsense = '{"kind": 7'
    assert await at.refusal("1.5") == "The cluster gave no valid answer."


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"paused": True}, "its roll-out is paused"),
        ({"replicas": 0}, "it is scaled to 0 pods"),
    ],
)
async def test_what_would_not_be_rolled_out_has_no_card(
    api: KubernetesStandIn, at: Desk, spec: dict[str, Any], why: str
) -> None:
    api.workload.spec |= spec
    assert why in await at.refusal("1.5")


async def test_what_is_not_there_has_no_card(api: KubernetesStandIn, at: Desk) -> None:
    api.workload.name = "apl"
    said = await at.refusal("1.5")

    assert said == "The cluster has no deployment `api` in the namespace `shop`."


# --- what was cut off


@pytest.mark.slow
@pytest.mark.parametrize("step", ["begin", "apply", "health check", "watch", "keep", "end"])
@pytest.mark.parametrize("how", ["before", "after"])
async def test_a_deployment_that_is_killed_in_any_step_ends_all_the_same(
    api: KubernetesStandIn, at: Desk, step: str, how: str
) -> None:
    journal = Journal(kill_before=[step]) if how == "before" else Journal(kill_after=[step])
    result = await at.deploy("1.5", journal)

    assert result.data["state"] == "kept"
    assert api.workload.image == TWO
    assert images_set(api) == [TWO]
    assert api.workload.notes[REPLACED] == ONE


async def test_a_roll_out_that_had_begun_when_it_was_cut_off_can_still_be_undone(
    api: KubernetesStandIn, at: Desk
) -> None:
    api.workload.outcomes[TWO] = HALF
    result = await at.deploy("1.5", Journal(kill_after=["apply"]))

    assert result.data["state"] == "rolled_back"
    assert images_set(api) == [TWO, TWO, ONE]  # the second time it replaced nothing


# --- mistakes of the configuration


@pytest.mark.parametrize(
    "wrong",
    [
        {"workload": "pod/api"},
        {"workload": "deployment/../api"},
        {"namespace": "Shop"},
        {"image": "ghcr.test/api:1.4"},
        {"container": "a b"},
        {"kubeconfig": None, "context": "home"},
    ],
)
def test_what_names_no_workload_is_a_mistake_of_the_configuration(wrong: dict[str, Any]) -> None:
    UpdatesSettings.model_validate({"deploy": [kubernetes()]})
    with pytest.raises(ValidationError):
        UpdatesSettings.model_validate({"deploy": [kubernetes(**wrong)]})


def test_two_services_cannot_be_one_workload() -> None:
    elsewhere = kubernetes(service="far", context="dead")
    UpdatesSettings.model_validate({"deploy": [kubernetes(), elsewhere]})
    with pytest.raises(ValidationError, match="two would deploy 'deployment/api' in the name"):
        UpdatesSettings.model_validate({"deploy": [kubernetes(), kubernetes(service="other")]})
