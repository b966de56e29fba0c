"""Restarts by a roll-out, asked of a stand-in that speaks the Kubernetes API."""

import asyncio
import shutil
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.tools._kubernetes_cluster import WorkloadName, kubernetes_cluster
from lycatra_appservice.tools.services._settings import ServicesSettings
from tests.support.kubernetes_api import (
    RESTARTED_AT,
    KubernetesStandIn,
    Workload,
    serving,
    write_kubeconfig,
)
from tests.unit.tools.services.restarting import (
    approved,
    asked,
    failure,
    refusal,
    restarted,
    status,
    toolbox,
)


def of_deployment(observed: int, updated: int, available: int, total: int) -> dict[str, Any]:
    return {
        "observedGeneration": observed,
        "updatedReplicas": updated,
        "availableReplicas": available,
        "replicas": total,
    }


def deployment(**spec: Any) -> Workload:
    """Two pods; after a restart: not seen yet, one new, both new and an old one left, done."""
    return Workload(
        kind="Deployment",
        spec={"replicas": 2, **spec},
        status=of_deployment(4, 2, 2, 2),
        statuses=[
            of_deployment(4, 2, 2, 2),
            of_deployment(5, 1, 2, 3),
            of_deployment(5, 2, 2, 3),
            of_deployment(5, 2, 1, 2),
            of_deployment(5, 2, 2, 2),
        ],
    )


def stateful_set(**spec: Any) -> Workload:
    def state(observed: int, updated: int, ready: int, current: str) -> dict[str, Any]:
        return {
            "observedGeneration": observed,
            "replicas": 2,
            "updatedReplicas": updated,
            "readyReplicas": ready,
            "currentRevision": current,
            "updateRevision": "api-2",
        }

    return Workload(
        kind="StatefulSet",
        spec={"replicas": 2, "serviceName": "api", **spec},
        status=state(4, 2, 2, "api-2"),
        statuses=[
            state(4, 2, 2, "api-2"),
            state(5, 1, 1, "api-1"),
            state(5, 1, 2, "api-1"),
            state(5, 2, 2, "api-1"),
            state(5, 2, 1, "api-2"),
            state(5, 2, 2, "api-2"),
        ],
    )


def daemon_set(**spec: Any) -> Workload:
    def state(observed: int, updated: int, available: int) -> dict[str, Any]:
        return {
            "observedGeneration": observed,
            "desiredNumberScheduled": 3,
            "currentNumberScheduled": 3,
            "numberMisscheduled": 0,
            "numberReady": available,
            "updatedNumberScheduled": updated,
            "numberAvailable": available,
        }

    return Workload(
        kind="DaemonSet",
        spec=spec,
        status=state(4, 3, 3),
        statuses=[state(4, 3, 3), state(5, 1, 2), state(5, 3, 2), state(5, 3, 3)],
    )


@pytest.fixture
def api() -> KubernetesStandIn:
    return KubernetesStandIn(deployment())


@pytest.fixture
async def address(api: KubernetesStandIn, tmp_path: Path) -> AsyncIterator[str]:
    async with serving(api) as address:
        write_kubeconfig(tmp_path / "kube.yaml", address)
        yield address


def kubernetes(**settings: Any) -> dict[str, Any]:
    """A restart of `web`, which is the deployment `api` of the namespace `shop`."""
    return {
        "service": "web",
        "kind": "kubernetes",
        "namespace": "shop",
        "workload": "deployment/api",
        "kubeconfig": "kube.yaml",
        **settings,
    }


# --- what is shown, and what an approval is bound to


async def test_the_card_shows_image_and_pods_and_nothing_is_restarted(
    api: KubernetesStandIn, address: str, tmp_path: Path
) -> None:
    async with toolbox(tmp_path, kubernetes()) as box:
        plan = (await asked(box)).plan

    assert plan.steps == [
        "replaces the pods of the deployment `api` in the namespace `shop` by new ones of "
        "`ghcr.test/api:1.4`"
    ]
    assert plan.now == ["now 2 of 2 pods available, 2 of the newest template"]
    assert plan.look == "get service status web"
    assert {method for method, _ in api.asked} == {"GET"}


async def test_an_approval_outlives_another_number_of_pods_but_not_another_image(
    api: KubernetesStandIn, address: str, tmp_path: Path
) -> None:
    async with toolbox(tmp_path, kubernetes()) as box:
        hashed = (await asked(box)).args_hash
        api.workload.status["availableReplicas"] = 1
        await approved(box, hashed)
        assert len(api.workload.patches) == 1

        api.workload.image = "ghcr.test/api:1.5"
        with pytest.raises(ToolFailedError):
            await approved(box, hashed)
        assert len(api.workload.patches) == 1


# --- what goes well


@pytest.mark.parametrize(("make", "pods"), [(deployment, 2), (stateful_set, 2), (daemon_set, 3)])
async def test_a_workload_is_rolled_out_and_waited_for_to_the_end(
    tmp_path: Path, make: Callable[[], Workload], pods: int
) -> None:
    workload = make()
    api = KubernetesStandIn(workload)
    kind = workload.kind.lower()
    async with serving(api) as address:
        write_kubeconfig(tmp_path / "kube.yaml", address)
        async with toolbox(tmp_path, kubernetes(workload=f"{kind}/api")) as box:
            result = await restarted(box)

    assert [workload.status] == workload.statuses  # it was looked at until the last one
    assert f"{pods} of {pods} pods of the {kind} `api`" in result.markdown
    assert result.data["pods"] == pods
    assert workload.annotations == {RESTARTED_AT: "2026-11-22T12:00:00+00:00"}
    [patch] = workload.patches
    assert patch == {"spec": {"template": {"metadata": {"annotations": workload.annotations}}}}


async def test_a_stateful_set_keeps_the_pods_below_its_partition(tmp_path: Path) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    workload = stateful_set(updateStrategy=rolling)
    workload.statuses = workload.statuses[1:3]
    api = KubernetesStandIn(workload)
    async with serving(api) as address:
        write_kubeconfig(tmp_path / "kube.yaml", address)
        async with toolbox(tmp_path, kubernetes(workload="statefulset/api")) as box:
            assert (await restarted(box)).data["pods"] == 1


async def test_the_token_of_the_context_is_sent(
    api: KubernetesStandIn, address: str, tmp_path: Path
) -> None:
    async with toolbox(tmp_path, kubernetes(context="home")) as box:
        await asked(box)
    assert {sent for _, sent in api.asked} == {"Bearer of-alice"}


async def test_a_proxy_of_the_environment_is_not_used(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with toolbox(tmp_path, kubernetes()) as box:
        await asked(box)


async def test_inside_a_cluster_the_service_account_is_used_and_read_again(
    api: KubernetesStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    await _make_certificate(openssl, tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "ca.crt", tmp_path / "key.pem")
    (tmp_path / "namespace").write_text("shop")
    async with serving(api, context) as address:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", address.rpartition(":")[2])
        which = WorkloadName(kind="deployment", name="api", namespace="shop")
        for token in ("first", "second"):
            (tmp_path / "token").write_text(token)
            async with kubernetes_cluster(None, None, tmp_path) as cluster:
                assert await cluster.workload(which) is not None
    assert [sent for _, sent in api.asked] == ["Bearer first", "Bearer second"]


async def _make_certificate(openssl: str, folder: Path) -> None:
    program = await asyncio.create_subprocess_exec(
        *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-addext", "keyUsage=critical,digitalSignature,keyCertSign"),
        *("-keyout", str(folder / "key.pem"), "-out", str(folder / "ca.crt")),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await program.wait() == 0


async def test_a_certificate_of_somebody_else_is_not_believed(
    api: KubernetesStandIn, tmp_path: Path
) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    await _make_certificate(openssl, tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "ca.crt", tmp_path / "key.pem")
    async with serving(api, context) as address:
        write_kubeconfig(tmp_path / "kube.yaml", address)
        async with toolbox(tmp_path, kubernetes()) as box:
            assert await refusal(box) == "The cluster cannot be reached."
    assert api.asked == []


# --- what is not there, not allowed, or would do nothing


async def test_an_unknown_workload_has_no_card(address: str, tmp_path: Path) -> None:
    async with toolbox(tmp_path, kubernetes(workload="daemonset/api")) as box:
        said = await refusal(box)
    assert said == "The cluster has no daemonset `api` in the namespace `shop`."


@pytest.mark.parametrize(
    ("workload", "why"),
    [
        (deployment(paused=True), "its roll-out is paused"),
        (deployment(replicas=0), "it is scaled to 0 pods"),
        (stateful_set(updateStrategy={"type": "OnDelete"}), "until somebody deletes them"),
        (daemon_set(updateStrategy={"type": "OnDelete"}), "until somebody deletes them"),
    ],
)
async def test_a_restart_that_would_replace_nothing_has_no_card(
    tmp_path: Path, workload: Workload, why: str
) -> None:
    api = KubernetesStandIn(workload)
    async with serving(api) as address:
        write_kubeconfig(tmp_path / "kube.yaml", address)
        async with toolbox(tmp_path, kubernetes(workload=f"{workload.kind.lower()}/api")) as box:
            said = await refusal(box)
    assert "cannot be restarted" in said
    assert why in said


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (401, "token or certificate"),
        (403, "the right to `get` deployments in the namespace `shop`"),
        (500, "The cluster refused"),
    ],
)
async def test_a_refused_look_is_told_without_the_words_of_the_cluster(
    api: KubernetesStandIn, address: str, tmp_path: Path, code: int, word: str
) -> None:
    api.refuse["GET"] = code
    async with toolbox(tmp_path, kubernetes()) as box:
        said = await refusal(box)
    assert f"HTTP {code}" in said
    assert word in said
    assert "secret" not in said


@pytest.mark.parametrize("answer", ["no json", "[]", '{"spec": 7}'])
async def test_nonsense_is_told(
    api: KubernetesStandIn, address: str, tmp_path: Path, answer: str
) -> None:
    api.nonsense = answer
    async with toolbox(tmp_path, kubernetes()) as box:
        assert await refusal(box) == "The cluster gave no valid answer."


async def test_a_dead_cluster_is_told(address: str, tmp_path: Path) -> None:
    async with toolbox(tmp_path, kubernetes(context="dead")) as box:
        assert await refusal(box) == "The cluster cannot be reached."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "a: [",
        "{clusters: [], contexts: [], current-context: home}",
        "{clusters: [{name: a, cluster: {server: 7}}], contexts: []}",
        "{current-context: a, clusters: [{name: a, cluster: {server: 'http://x'}}], "
        "contexts: [{name: a, context: {cluster: a}}]}",
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "kube.yaml").write_text(text)
    async with toolbox(tmp_path, kubernetes()) as box:
        said = await refusal(box)
    assert said == "I cannot reach the cluster: the kubeconfig cannot be used."


async def test_outside_of_a_cluster_there_is_no_service_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    async with toolbox(tmp_path, kubernetes(kubeconfig=None)) as box:
        assert "the service account of this pod cannot be used" in await refusal(box)


# --- what goes wrong


async def test_a_roll_out_that_takes_too_long_is_told_with_how_far_it_is(
    api: KubernetesStandIn, address: str, tmp_path: Path
) -> None:
    api.workload.statuses = [of_deployment(5, 1, 1, 3)]
    async with toolbox(tmp_path, kubernetes(timeout_seconds=0.4)) as box:
        said = await failure(box)
    assert said == (
        "`web` was restarted, but the roll-out is not done after 0.4 s: 1 of 2 pods available, "
        "1 of the newest template. The cluster goes on with it. "
        "Look with `!get service status web`."
    )


async def test_a_roll_out_that_the_cluster_gives_up_is_told_at_once(
    api: KubernetesStandIn, address: str, tmp_path: Path
) -> None:
    gone = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    api.workload.statuses = [{**of_deployment(5, 1, 2, 3), "conditions": [gone]}]
    async with toolbox(tmp_path, kubernetes()) as box:
        async with asyncio.timeout(5):
            said = await failure(box)
    assert "the cluster has given the roll-out up" in said


async def test_a_refused_restart_has_not_happened(
    api: KubernetesStandIn, address: str, tmp_path: Path
) -> None:
    api.refuse["PATCH"] = 403
    async with toolbox(tmp_path, kubernetes()) as box:
        said = await failure(box)
    assert said.startswith("`web` was not restarted. The cluster does not let me do that")
    assert "`patch` deployments" in said
    assert api.workload.patches == []


@pytest.mark.parametrize("way", ["500", "hang up"])
async def test_a_restart_that_got_no_answer_may_have_happened(
    api: KubernetesStandIn, address: str, tmp_path: Path, way: str
) -> None:
    if way == "500":
        api.refuse["PATCH"] = 500
    else:
        api.hang_up_on.add("PATCH")
    async with toolbox(tmp_path, kubernetes()) as box:
        assert (await failure(box)).startswith("`web` may or may not have been restarted.")


async def test_a_roll_out_is_looked_at_again_when_the_cluster_did_not_tell(
    api: KubernetesStandIn, address: str, tmp_path: Path
) -> None:
    api.refuse_once["GET"] = 503
    async with toolbox(tmp_path, kubernetes()) as box:
        assert (await restarted(box)).data["pods"] == 2


@pytest.mark.parametrize(
    ("code", "how"),
    [
        (500, "the roll-out is not done after 0.3 s: it cannot be seen how far it is."),
        (403, "it cannot be seen how far that is. The cluster does not let me do that"),
        (404, "it is not there any more."),
    ],
)
async def test_a_roll_out_that_cannot_be_seen_any_more_was_begun(
    api: KubernetesStandIn, address: str, tmp_path: Path, code: int, how: str
) -> None:
    api.refuse_after_patch["GET"] = code
    async with toolbox(tmp_path, kubernetes(timeout_seconds=0.3)) as box:
        assert (await failure(box)).startswith(f"`web` was restarted, but {how}")


# --- looking at it afterwards, the extra, and the settings


async def test_the_status_tells_how_many_pods_there_are(
    api: KubernetesStandIn, address: str, tmp_path: Path
) -> None:
    async with toolbox(tmp_path, kubernetes()) as box:
        found = await status(box)
    detail = "2 of 2 pods available, 2 of the newest template"
    assert found == {"name": "web", "ok": True, "detail": detail}

    api.workload.status["availableReplicas"] = 1
    async with toolbox(tmp_path, kubernetes()) as box:
        assert not (await status(box))["ok"]


async def test_a_missing_extra_is_named_with_the_line_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = (
        *("_restarts.kubernetes", "_seeing.kubernetes", "_kubernetes_cluster"),
        *("_kubernetes_pods", "_kubernetes_rollout"),
    )
    for name in [each for each in sys.modules if each.endswith(ours)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lightkube", None)
    async with toolbox(tmp_path, kubernetes()) as box:
        said = await refusal(box)
        found = await status(box)
    assert "`pip install 'lycatra-appservice[kubernetes]'`" in said
    assert found["detail"] == said


@pytest.mark.parametrize(
    "wrong",
    [
        {"workload": "api"},
        {"workload": "pod/api"},
        {"workload": "deployment/../api"},
        {"workload": "deployment/api?dryRun=All"},
        {"namespace": "a/b"},
        {"namespace": "Shop"},
        {"context": "home", "kubeconfig": None},
    ],
)
def test_what_names_no_workload_is_a_mistake_of_the_configuration(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ServicesSettings.model_validate({"restarts": [kubernetes(**wrong)]})
