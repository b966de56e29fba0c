"""Checks of containers, compose services and workloads, with engines and clusters on loopback."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from lycatra_appservice.tools.services._settings import ServicesSettings
from tests.support.docker_engine import (
    DockerStandIn,
    OneContainer,
    ended,
    on_port,
    on_socket,
    running,
)
from tests.support.kubernetes_api import (
    KubernetesStandIn,
    Workload,
    pod,
    serving,
    write_kubeconfig,
)
from tests.unit.tools.services.looking import services

OF_SHOP = {"com.docker.compose.project": "shop", "com.docker.compose.oneoff": "False"}
CONTAINER = {"name": "web", "kind": "docker", "container": "web-1"}
COMPOSE = {"name": "web", "kind": "compose", "project": "shop"}
WORKLOAD = {"name": "api", "kind": "kubernetes", "namespace": "shop", "workload": "deployment/api"}


def in_shop(name: str, service: str, **more: Any) -> OneContainer:
    return OneContainer(name, labels={**OF_SHOP, "com.docker.compose.service": service}, **more)


# --- Docker


async def test_a_container_tells_its_health_image_restarts_and_since_when_it_runs(
    tmp_path: Path,
) -> None:
    web_1 = OneContainer("web-1", image="registry.test:5000/shop/web:2.4", restart_count=3)
    web_1.state = running("healthy", started_at="2026-11-22T09:30:00.123456789Z")
    async with (
        on_socket(DockerStandIn(web_1), tmp_path / "docker.sock") as address,
        services(tmp_path, CONTAINER, engine=address, zone="Europe/Berlin") as here,
    ):
        found, told = await here.line(), (await here.asked()).markdown

    assert found["ok"] is True
    assert found["detail"] == "running, healthy"
    assert found["image_tags"] == ["2.4"]
    assert found["restarts"] == 3
    assert found["running_since"] == "2026-11-22T10:30:00+01:00"
    assert "| ✅ up | web | running, healthy (2.4, 3 restarts, for 2 h 29 min) |" in told


@pytest.mark.parametrize(
    ("state", "detail"),
    [
        (running("unhealthy"), "running, unhealthy"),
        (running("starting"), "running, its health not known yet"),
        (ended(137), "exited with code 137"),
        (ended(1, "restarting"), "restarting"),
        (ended(0, "paused"), "paused"),
    ],
)
async def test_a_container_that_is_not_well_is_down(
    tmp_path: Path, state: dict[str, Any], detail: str
) -> None:
    engine = DockerStandIn(OneContainer("web-1", state=state))
    async with (
        on_port(engine) as address,
        services(tmp_path, {**CONTAINER, "engine": address}) as here,
    ):
        found = await here.line()
    assert (found["ok"], found["detail"]) == (False, detail)


async def test_a_container_that_was_never_started_has_run_since_no_time(tmp_path: Path) -> None:
    never = {"Status": "created", "ExitCode": 0, "StartedAt": "0001-01-01T00:00:00Z"}
    engine = DockerStandIn(OneContainer("web-1", state=never))
    async with (
        on_port(engine) as address,
        services(tmp_path, CONTAINER, engine=address) as here,
    ):
        found = await here.line()
    assert (found["ok"], found["detail"]) == (False, "created")
    assert "running_since" not in found


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("nginx", "latest"),
        ("nginx:1.27", "1.27"),
        ("registry.test:5000/nginx", "latest"),
        (f"nginx@sha256:{'ab' * 32}", "sha256:abababababab"),
        (f"nginx:1.27@sha256:{'ab' * 32}", "1.27"),
        (f"sha256:{'cd' * 32}", "sha256:cdcdcdcdcdcd"),
    ],
)
async def test_the_tag_of_an_image_is_told_however_it_is_written(
    tmp_path: Path, image: str, tag: str
) -> None:
    engine = DockerStandIn(OneContainer("web-1", image=image))
    async with (
        on_port(engine) as address,
        services(tmp_path, CONTAINER, engine=address) as here,
    ):
        assert (await here.line())["image_tags"] == [tag]


async def test_a_compose_service_is_all_of_its_containers(tmp_path: Path) -> None:
    engine = DockerStandIn(
        in_shop("shop-web-1", "web", restart_count=1),
        in_shop("shop-web-2", "web", restart_count=2, state=ended(1)),
        in_shop("shop-db-1", "db"),
        OneContainer("web"),
    )
    async with (
        on_port(engine) as address,
        services(
            tmp_path, COMPOSE, {**COMPOSE, "name": "data", "service": "db"}, engine=address
        ) as here,
    ):
        web, data = await here.line(), await here.line("data")

    assert web["detail"] == "shop-web-1: running; shop-web-2: exited with code 1"
    assert (web["ok"], web["restarts"], web["image_tags"]) == (False, 3, ["1.27"])
    assert (data["ok"], data["detail"]) == (True, "running")


async def test_what_is_not_there_is_down(tmp_path: Path) -> None:
    async with (
        on_port(DockerStandIn()) as address,
        services(
            tmp_path, {**CONTAINER, "name": "a"}, {**COMPOSE, "name": "b"}, engine=address
        ) as here,
    ):
        assert (await here.line("a"))["detail"] == "Docker has no container called `web-1`."
        assert (await here.line("b"))["detail"] == (
            "Docker has no container of `b` in the project `shop`."
        )


async def test_an_engine_that_is_dead_is_told_without_its_address(tmp_path: Path) -> None:
    async with services(
        tmp_path,
        CONTAINER,
        {**COMPOSE, "name": "b", "engine": "tcp://127.0.0.1:9"},
        engine=f"unix://{tmp_path}/secret.sock",
    ) as here:
        result = await here.asked()
    details = [each["detail"] for each in result.data["services"]]
    assert details == [
        "Docker's socket is not there: Docker does not run, or it is elsewhere.",
        "I got no usable answer from `127.0.0.1:9`: connection refused.",
    ]
    assert "secret" not in str(result)


async def test_a_socket_proxy_that_refuses_says_what_it_needs(tmp_path: Path) -> None:
    engine = DockerStandIn(OneContainer("web-1"))
    engine.refuse = {("GET", "/json"): 403}
    async with (
        on_port(engine) as address,
        services(tmp_path, CONTAINER, engine=address) as here,
    ):
        result = await here.asked("web")
    [found] = result.data["services"]
    assert found["ok"] is False
    assert "Docker does not let me do that (HTTP 403)" in found["detail"]
    assert "secret" not in str(result)


@pytest.mark.parametrize(
    "answer",
    ["nonsense", "[]", '{"State": 7}', '{"Name": "/web-1", "State": {"Status": "running"}}'],
)
async def test_an_engine_that_talks_nonsense_is_a_finding(tmp_path: Path, answer: str) -> None:
    async def say(request: web.Request) -> web.Response:
        if request.path == "/version":
            return web.json_response({"ApiVersion": "1.47"})
        return web.Response(text=answer, content_type="application/json")

    app = web.Application()
    app.router.add_get("/{path:.*}", say)
    async with (
        TestServer(app) as server,
        services(tmp_path, CONTAINER, engine=f"tcp://127.0.0.1:{server.port}") as here,
    ):
        found = await here.line()
    assert (found["ok"], found["detail"]) == (False, "Docker gave no valid answer.")


async def test_an_engine_is_named_once_for_all_and_otherwise_where_it_differs(
    tmp_path: Path,
) -> None:
    ours, theirs = DockerStandIn(OneContainer("web-1")), DockerStandIn(OneContainer("web-1"))
    restart = {"service": "job", "kind": "docker", "container": "web-1"}
    async with (
        on_port(ours) as here_address,
        on_port(theirs) as there,
        services(
            tmp_path,
            CONTAINER,
            {**CONTAINER, "name": "other", "engine": there},
            restarts=[restart],
            engine=here_address,
        ) as here,
    ):
        assert (await here.line("web"))["ok"]
        assert (await here.line("job"))["ok"]
        asked = len(ours.asked)
        assert (await here.line("other"))["ok"]
    assert len(ours.asked) == asked
    assert theirs.asked


def test_without_an_engine_it_is_the_socket_of_this_machine() -> None:
    [check] = ServicesSettings.model_validate({"checks": [CONTAINER]}).checks
    assert check.kind == "docker"
    assert check.engine == "unix:///var/run/docker.sock"


# --- Kubernetes


def deployment(available: int = 2) -> Workload:
    status = {
        "observedGeneration": 4,
        "updatedReplicas": 2,
        "availableReplicas": available,
        "replicas": 2,
    }
    return Workload(kind="Deployment", spec={"replicas": 2}, status=status, statuses=[status])


@pytest.fixture
def api() -> KubernetesStandIn:
    return KubernetesStandIn(deployment())


@pytest.fixture
async def workload(api: KubernetesStandIn, tmp_path: Path) -> AsyncIterator[dict[str, Any]]:
    async with serving(api) as address:
        write_kubeconfig(tmp_path / "kube.yaml", address)
        yield {**WORKLOAD, "kubeconfig": "kube.yaml"}


async def test_a_workload_tells_its_pods_image_restarts_and_since_when_they_run(
    tmp_path: Path, api: KubernetesStandIn, workload: dict[str, Any]
) -> None:
    api.workload.pods = [
        pod(1, started_at="2026-11-22T08:00:00Z"),
        pod(2, started_at="2026-11-22T11:00:00Z"),
        pod(40, leaving=True),
    ]
    async with services(tmp_path, workload) as here:
        found = await here.line("api")

    assert found["ok"] is True
    assert found["detail"] == "2 of 2 pods available, 2 of the newest template"
    assert found["image_tags"] == ["1.4"]
    assert found["restarts"] == 3
    assert found["running_since"] == "2026-11-22T11:00:00+00:00"
    assert api.selectors == ["app=api"]


async def test_a_pod_that_does_not_start_is_told_with_the_clusters_word_for_why(
    tmp_path: Path, api: KubernetesStandIn, workload: dict[str, Any]
) -> None:
    api.workload = deployment(available=1)
    api.workload.pods = [
        pod(),
        pod(7, waiting="CrashLoopBackOff"),
        pod(0, waiting="ContainerCreating"),
    ]
    async with services(tmp_path, workload) as here:
        result = await here.asked("api")
    [found] = result.data["services"]
    assert found["ok"] is False
    assert found["detail"] == (
        "1 of 2 pods available, 2 of the newest template; waiting: CrashLoopBackOff"
    )
    assert "secret" not in str(result)


async def test_an_account_that_may_not_list_pods_sees_the_workload_all_the_same(
    tmp_path: Path, api: KubernetesStandIn, workload: dict[str, Any]
) -> None:
    api.refuse_pods = 403
    async with services(tmp_path, workload) as here:
        found = await here.line("api")
    assert found["ok"] is True
    assert "restarts" not in found


async def test_labels_that_a_workload_wants_in_other_ways_are_asked_for(
    tmp_path: Path, api: KubernetesStandIn, workload: dict[str, Any]
) -> None:
    api.workload.spec["selector"] = {
        "matchLabels": {"app": "api"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["b", "a"]},
            {"key": "old", "operator": "DoesNotExist"},
            {"key": "track", "operator": "Exists"},
            {"key": "zone", "operator": "NotIn", "values": ["x"]},
        ],
    }
    async with services(tmp_path, workload) as here:
        await here.line("api")
    assert set(api.selectors[0].split(",", 1)) == {
        "tier in (a",
        "b),!old,track,zone notin (x),app=api",
    }


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"nonsense": "{"}, "The cluster gave no valid answer."),
        ({"refuse": {"GET": 404}}, "The cluster has no deployment `api`"),
        ({"refuse": {"GET": 500}}, "The cluster refused (HTTP 500)."),
        ({"refuse": {"GET": 403}}, "my account needs the right to `get` deployments"),
        ({"refuse_pods": 500}, "The cluster refused (HTTP 500)."),
        ({"hang_up_on": {"GET"}}, "The cluster gave no valid answer."),
    ],
)
async def test_a_cluster_that_does_not_tell_is_a_finding(
    tmp_path: Path,
    api: KubernetesStandIn,
    workload: dict[str, Any],
    change: dict[str, Any],
    detail: str,
) -> None:
    for name, value in change.items():
        setattr(api, name, value)
    async with services(tmp_path, workload) as here:
        async with asyncio.timeout(20):
            found = await here.line("api")
    assert found["ok"] is False
    assert detail in found["detail"]


async def test_a_dead_cluster_is_a_finding(tmp_path: Path) -> None:
    write_kubeconfig(tmp_path / "kube.yaml", "http://127.0.0.1:9")
    async with services(tmp_path, {**WORKLOAD, "kubeconfig": "kube.yaml"}) as here:
        found = await here.line("api")
    assert (found["ok"], found["detail"]) == (False, "The cluster cannot be reached.")


# --- settings


@pytest.mark.parametrize(
    "check",
    [
        {"kind": "docker"},
        {"kind": "docker", "container": "a/../b"},
        {"kind": "docker", "container": "web", "project": "shop"},
        {"kind": "docker", "container": "web", "engine": "tcp://proxy"},
        {"kind": "compose"},
        {"kind": "compose", "project": "shop", "service": "a b"},
        {"kind": "kubernetes", "namespace": "shop"},
        {"kind": "kubernetes", "namespace": "shop", "workload": "pod/api"},
        {"kind": "kubernetes", "namespace": "s", "workload": "deployment/a", "context": "home"},
    ],
)
def test_settings_with_a_mistake_are_refused(check: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ServicesSettings.model_validate({"checks": [{"name": "a", **check}]})


def test_a_mistake_in_the_engine_is_told_once_and_where_it_stands() -> None:
    with pytest.raises(ValidationError) as caught:
        ServicesSettings.model_validate({"engine": "docker:2375", "checks": [CONTAINER]})
    assert [each["loc"] for each in caught.value.errors()] == [("engine",)]


def test_the_checks_name_the_extras_and_the_engines_that_they_need() -> None:
    settings = ServicesSettings.model_validate(
        {"checks": [COMPOSE, WORKLOAD], "engine": "tcp://proxy.internal:2375"}
    )
    assert [each.name for each in settings.needed_extras] == ["docker", "kubernetes"]
    assert [str(each) for each in settings.allowed_targets] == ["proxy.internal:2375"]
