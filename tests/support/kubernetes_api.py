"""A Kubernetes API with one workload, which rolls out as the test says."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from ruamel.yaml import YAML

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


@dataclass
class Workload:
    """`statuses` come look by look after a patch, the last one again and again.

    Without any the status is that of its image in `outcomes`, with the newest generation seen.
    """

    kind: str
    spec: dict[str, Any]
    status: dict[str, Any]
    statuses: list[dict[str, Any]]
    image: str = "ghcr.test/api:1.4"
    name: str = "api"
    namespace: str = "shop"
    generation: int = 4
    annotations: dict[str, str] = field(default_factory=dict)  # of its template
    notes: dict[str, str] = field(default_factory=dict)  # its own annotations
    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)
    sidecar: str | None = None  # the image of a second container
    patches: list[dict[str, Any]] = field(default_factory=list)
    pods: list[dict[str, Any]] = field(default_factory=list)  # by `pod`

    def to_json(self) -> dict[str, Any]:
        return {
            "apiVersion": "apps/v1",
            "kind": self.kind,
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "generation": self.generation,
                "annotations": self.notes,
            },
            "spec": {
                "selector": {"matchLabels": {"app": self.name}},
                "template": {
                    "metadata": {"annotations": self.annotations},
                    "spec": {"containers": self._containers()},
                },
                **self.spec,
            },
            "status": self.status,
        }

    def _containers(self) -> list[dict[str, Any]]:
        side = [{"name": "side", "image": self.sidecar}] if self.sidecar else []
        return [{"name": "main", "image": self.image}, *side]

    def change(self, patch: dict[str, Any]) -> None:
        """As a strategic merge does with what is known here."""
        self.patches.append(patch)
        self.notes |= patch.get("metadata", {}).get("annotations", {})
        template = patch["spec"]["template"]
        self.annotations |= template.get("metadata", {}).get("annotations", {})
        for each in template.get("spec", {}).get("containers", ()):
            if each["name"] == "side":
                self.sidecar = each["image"]
            else:
                assert each["name"] == "main"
                self.image = each["image"]
        self.generation += 1

    def look(self) -> None:
        """Somebody asks for it: its roll-out is a step further."""
        if self.statuses:
            self.status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        elif self.image in self.outcomes:
            self.status = {**self.outcomes[self.image], "observedGeneration": self.generation}


def pod(
    restarts: int = 0,
    *,
    started_at: str | None = "2026-11-22T10:00:00Z",
    waiting: str | None = None,
    leaving: bool = False,
) -> dict[str, Any]:
    """One of a single container, which runs or waits."""
    state: dict[str, Any] = {"running": {"startedAt": started_at}}
    if waiting is not None:
        state = {"waiting": {"reason": waiting, "message": "secret of the cluster"}}
    status = {"name": "main", "image": "", "imageID": "", "ready": waiting is None}
    return {
        "metadata": {"deletionTimestamp": "2026-11-22T11:00:00Z"} if leaving else {},
        "status": {"containerStatuses": [{**status, "restartCount": restarts, "state": state}]},
    }


class KubernetesStandIn:
    """`refuse` is by method; the message in its answers is the cluster's own business."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.refuse: dict[str, int] = {}
        self.refuse_after_patch: dict[str, int] = {}
        self.refuse_once: dict[str, int] = {}  # after a patch, too
        self.refuse_pods: int | None = None
        self.selectors: list[str] = []  # by which pods were asked for
        self.hang_up_on: set[str] = set()
        self.hang_up_after_patch = False
        self.nonsense: str | None = None
        self.asked: list[tuple[str, str | None]] = []  # with the authorization

    @property
    def application(self) -> web.Application:
        app = web.Application()
        path = "/apis/apps/v1/namespaces/{namespace}/{plural}/{name}"
        app.router.add_get(path, self._answer)
        app.router.add_patch(path, self._answer)
        app.router.add_get("/api/v1/namespaces/{namespace}/pods", self._pods)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.headers.get("Authorization")))
        if request.method in self.hang_up_on:
            assert request.transport is not None
            request.transport.close()
        if self.nonsense is not None:
            return web.Response(text=self.nonsense, content_type="application/json")
        once = self.refuse_once.pop(request.method, None) if self.workload.patches else None
        code = once or self.refuse.get(request.method) or (200 if self._is_it(request) else 404)
        if code != 200:
            said = {"kind": "Status", "code": code, "message": "account secret-name may not"}
            return web.json_response(said, status=code)
        if request.method == "PATCH":
            await self._patch(request)
        elif self.workload.patches:
            self.workload.look()
        return web.json_response(self.workload.to_json())

    async def _pods(self, request: web.Request) -> web.StreamResponse:
        self.selectors.append(request.query["labelSelector"])
        if self.refuse_pods is not None:
            said = {"kind": "Status", "code": self.refuse_pods, "message": "secret"}
            return web.json_response(said, status=self.refuse_pods)
        pods = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": self.workload.pods}
        return web.json_response(pods)

    def _is_it(self, request: web.Request) -> bool:
        workload, asked = self.workload, request.match_info
        return (asked["namespace"], asked["plural"], asked["name"]) == (
            workload.namespace,
            PLURALS[workload.kind],
            workload.name,
        )

    async def _patch(self, request: web.Request) -> None:
        assert request.content_type.endswith("merge-patch+json")
        assert not request.query  # such as dryRun
        self.workload.change(await request.json())
        self.refuse |= self.refuse_after_patch
        if self.hang_up_after_patch:
            assert request.transport is not None
            request.transport.close()


@asynccontextmanager
async def serving(
    api: KubernetesStandIn, context: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Serve it on loopback; gives its address."""
    server = TestServer(api.application)
    await server.start_server(ssl=context)
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{server.port}"
    finally:
        await server.close()


def write_kubeconfig(path: Path, address: str) -> Path:
    """With two contexts: `home`, the current one, and `dead`."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "home",
        "clusters": [
            {"name": "home", "cluster": {"server": address}},
            {"name": "dead", "cluster": {"server": "http://127.0.0.1:9"}},
        ],
        "users": [{"name": "alice", "user": {"token": "of-alice"}}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": "alice"}}
            for name in ("home", "dead")
        ],
    }
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(config, file)
    return path
