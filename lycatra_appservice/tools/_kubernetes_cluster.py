"""A Kubernetes cluster as tools ask it; needs the extra `kubernetes`, so import it late."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from httpx2 import ConnectError, HTTPError, HTTPStatusError, InvalidURL, TimeoutException
from lightkube import AsyncClient, KubeConfig
from lightkube.core.exceptions import ConfigError
from lightkube.resources.apps_v1 import DaemonSet, Deployment, StatefulSet
from lightkube.resources.core_v1 import Pod
from msgspec import MsgspecError
from yaml import YAMLError

from lycatra_appservice.toolkit.base import JSON, ToolFailedError
from lycatra_appservice.tools._kubernetes_pods import NO_PODS, Pods, pods_seen, selector_of
from lycatra_appservice.tools._kubernetes_rollout import AnyWorkload

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
KINDS: Final[Mapping[str, type[AnyWorkload]]] = {
    "deployment": Deployment,
    "statefulset": StatefulSet,
    "daemonset": DaemonSet,
}

_CHANGE_CAUSE = "kubernetes.io/change-cause"
_MOST_PODS = 200  # of a workload; more are not counted
_RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"  # by which kubectl itself restarts

# What reading one, and making a client of it, ends in.
_UNUSABLE: Final = (
    *(ConfigError, MsgspecError, YAMLError, HTTPError, InvalidURL),
    *(OSError, LookupError, TypeError, ValueError, AttributeError, AssertionError),
)


class ClusterError(ToolFailedError):
    """The cluster could not be asked, or refused; `status` is its answer's, if it answered."""

    def __init__(self, said: str, status: int | None = None) -> None:
        super().__init__(said)
        self.status = status

    @property
    def is_settled(self) -> bool:
        """Whether the cluster said no, so that nothing was changed."""
        return self.status is not None and self.status < 500


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadName:
    """A Deployment, StatefulSet or DaemonSet; `kind` is a key of KINDS."""

    kind: str
    name: str
    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageChange:
    """The image that a container of a workload is to have; `annotations` are the workload's."""

    container: str
    image: str
    cause: str  # as `kubectl rollout history` shows it
    annotations: Mapping[str, str]


class Cluster:
    """One cluster. Each method raises ClusterError."""

    def __init__(self, client: AsyncClient) -> None:
        """Made by `kubernetes_cluster`."""
        self._client = client

    async def workload(self, which: WorkloadName) -> AnyWorkload | None:
        """It as it is now; None if there is none of this name."""
        try:
            with _in_words(which, "get"):
                found: AnyWorkload = await self._client.get(
                    KINDS[which.kind], which.name, namespace=which.namespace
                )
        except ClusterError as exc:
            if exc.status == 404:
                return None
            raise
        return found

    async def pods_of(self, which: WorkloadName, workload: AnyWorkload) -> Pods:
        """What the pods of a workload tell; the first ones of very many."""
        selector = selector_of(workload)
        if not selector:
            return NO_PODS
        pods: list[Pod] = []
        with _in_words(which, "list"):
            async for pod in self._client.list(
                Pod, namespace=which.namespace, labels=selector, chunk_size=_MOST_PODS
            ):
                pods.append(pod)
                if len(pods) == _MOST_PODS:
                    break
            return pods_seen(pods)

    async def roll_out_again(self, which: WorkloadName, now: datetime) -> AnyWorkload:
        """Have all pods replaced by new ones of the same template; it goes on by itself."""
        annotations = {_RESTARTED_AT: now.isoformat(timespec="seconds")}
        return await self._patched(
            which, {"spec": {"template": {"metadata": {"annotations": annotations}}}}
        )

    async def set_image(self, which: WorkloadName, change: ImageChange) -> AnyWorkload:
        """Have all pods replaced by new ones with another image; it goes on by itself."""
        # By a strategic merge a container is found by its name, and the others stay.
        containers = [{"name": change.container, "image": change.image}]
        return await self._patched(
            which,
            {
                "metadata": {"annotations": {**change.annotations, _CHANGE_CAUSE: change.cause}},
                "spec": {"template": {"spec": {"containers": containers}}},
            },
        )

    async def _patched(self, which: WorkloadName, patch: JSON) -> AnyWorkload:
        with _in_words(which, "patch"):
            patched: AnyWorkload = await self._client.patch(
                KINDS[which.kind], which.name, patch, namespace=which.namespace
            )
        return patched


@asynccontextmanager
async def kubernetes_cluster(
    kubeconfig: Path | None, context: str | None, service_account: Path = SERVICE_ACCOUNT
) -> AsyncIterator[Cluster]:
    """The cluster of a kubeconfig's context (its current one by default), else the pod's own."""
    try:
        # Reads files, and makes a TLS context of them.
        client = await asyncio.to_thread(_client, kubeconfig, context, service_account)
    except _UNUSABLE as exc:
        what = "the kubeconfig" if kubeconfig else "the service account of this pod"
        raise ClusterError(f"I cannot reach the cluster: {what} cannot be used.") from exc
    try:
        yield Cluster(client)
    finally:
        await client.close()


def _client(kubeconfig: Path | None, context: str | None, service_account: Path) -> AsyncClient:
    if kubeconfig is None:
        found = KubeConfig.from_service_account(str(service_account)).get()
    else:
        found = KubeConfig.from_file(str(kubeconfig)).get(context)
    return AsyncClient(config=found, trust_env=False)


@contextmanager
def _in_words(which: WorkloadName, verb: str) -> Iterator[None]:
    try:
        yield
    except HTTPStatusError as exc:
        raise _refusal(exc.response.status_code, which, verb) from exc
    except TimeoutException as exc:
        raise ClusterError("The cluster did not answer in time.") from exc
    except ConnectError as exc:
        raise ClusterError("The cluster cannot be reached.") from exc
    except (HTTPError, ConfigError, MsgspecError, OSError, LookupError, ValueError) as exc:
        raise ClusterError("The cluster gave no valid answer.") from exc


def _refusal(status: int, which: WorkloadName, verb: str) -> ClusterError:
    if status == 401:
        said = "The cluster does not know me (HTTP 401): my token or certificate is not valid."
    elif status == 403:
        said = (
            f"The cluster does not let me do that (HTTP 403): my account needs the right to "
            f"`{verb}` {which.kind}s in the namespace `{which.namespace}`."
        )
    else:
        said = f"The cluster refused (HTTP {status})."
    return ClusterError(said, status)
