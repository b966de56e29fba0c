"""Deploys by setting the image of a workload of Kubernetes, whose roll-out the cluster does."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from lycatra_appservice.toolkit.base import ToolContext, ToolFailedError
from lycatra_appservice.tools._kubernetes_cluster import (
    Cluster,
    ClusterError,
    ImageChange,
    WorkloadName,
    kubernetes_cluster,
)
from lycatra_appservice.tools._kubernetes_rollout import (
    AnyWorkload,
    containers_of,
    obstacle_to_rollout,
    rollout_of,
)
from lycatra_appservice.tools.updates._deploy_settings import KubernetesDeploy
from lycatra_appservice.tools.updates._deployers.port import (
    Change,
    Changed,
    DeployError,
    Outlook,
    Progress,
    Running,
)
from lycatra_appservice.tools.updates._versions import repository_of, tag_of, tag_problem

_TO_ANSWER_SECONDS = 10.0
# The image that a deployment has replaced, digest and all, for a roll-back to exactly that.
_REPLACED = "lycatra.org/replaced-image"


class KubernetesDeployer:
    """A Deployment, StatefulSet or DaemonSet; its roll-out is a canary of its own."""

    def __init__(self, deploy: KubernetesDeploy, ctx: ToolContext) -> None:
        """For one call."""
        self._deploy = deploy
        self._ctx = ctx
        kind, _, name = deploy.workload.partition("/")
        self._which = WorkloadName(kind=kind, name=name, namespace=deploy.namespace)

    @property
    def is_repeatable(self) -> bool:
        """A patch says what is to be."""
        return True

    @property
    def tries_out(self) -> bool:
        """The roll-out stops by itself where new pods do not become ready."""
        return False

    async def outlook(self, change: Change) -> Outlook:
        """The image, and its pods now. Raises ToolFailedError where no new ones would come."""
        problem = tag_problem(change.version)
        if problem is not None:
            raise ToolFailedError(f"{problem}.")
        async with self._cluster() as cluster:
            workload = await self._looked_for(cluster)
        obstacle = obstacle_to_rollout(workload)
        if obstacle is not None:
            raise ToolFailedError(f"{self._name} cannot be deployed: {obstacle}.")
        container, image = self._container(workload)
        new = _replaced(workload, change) or self._image(image, change.version)
        return Outlook(
            steps=[
                f"sets the image of `{container}` in the {self._name} from `{image}` to `{new}`",
                "the cluster replaces its pods one after the other",
            ],
            now=[f"now {_pods(workload)}"],
        )

    async def running(self) -> Running:
        """The tag of its template, and whether that is rolled out."""
        async with self._cluster() as cluster:
            workload = await self._looked_for(cluster)
        rollout = rollout_of(workload)
        return Running(
            version=tag_of(self._container(workload)[1]),
            ok=rollout.is_done,
            detail=_pods(workload),
            is_over=rollout.has_failed,
        )

    async def apply(self, change: Change) -> None:
        """Set the image. Raises DeployError."""
        progress = Progress()
        with _in_words(progress):
            async with self._cluster() as cluster:
                workload = await self._looked_for(cluster)
                container, image = self._container(workload)
                wanted = _replaced(workload, change) or self._image(image, change.version)
                if change.is_back and tag_of(image) == change.version:
                    wanted = image  # it is back, digest and all
                progress.changed = Changed.MAYBE
                await self._set(cluster, container, wanted, replaced=image)

    async def try_out(self, change: Change) -> None:
        """Nothing is tried out."""

    async def keep(self) -> None:
        """Nothing is held ready: the cluster keeps its own history."""

    async def _set(self, cluster: Cluster, container: str, image: str, *, replaced: str) -> None:
        cause = f"Lycatra deployed {image}"
        # Asked for again, it must not replace what it has put there itself.
        notes = {} if image == replaced else {_REPLACED: replaced}
        change = ImageChange(container=container, image=image, cause=cause, annotations=notes)
        await cluster.set_image(self._which, change)

    def _container(self, workload: AnyWorkload) -> tuple[str, str]:
        """Its name and image. Raises ToolFailedError."""
        containers = containers_of(workload)
        wanted = self._deploy.container or (next(iter(containers)) if len(containers) == 1 else "")
        if wanted in containers:
            return wanted, containers[wanted]
        names = ", ".join(f"`{each}`" for each in containers) or "none"
        raise ToolFailedError(
            f"Which container of the {self._name} is meant does not show: it has {names}. "
            "`container` in its settings can say."
        )

    def _image(self, image: str, version: str) -> str:
        return f"{self._deploy.image or repository_of(image)}:{version}"

    @property
    def _name(self) -> str:
        which = self._which
        return f"{which.kind} `{which.name}` in the namespace `{which.namespace}`"

    async def _looked_for(self, cluster: Cluster) -> AnyWorkload:
        try:
            async with asyncio.timeout(_TO_ANSWER_SECONDS):
                workload = await cluster.workload(self._which)
        except TimeoutError as exc:
            said = f"The cluster did not answer within {_TO_ANSWER_SECONDS:g} s."
            raise ToolFailedError(said) from exc
        if workload is None:
            raise ToolFailedError(f"The cluster has no {self._name}.")
        return workload

    @asynccontextmanager
    async def _cluster(self) -> AsyncIterator[Cluster]:
        file = self._deploy.kubeconfig
        path = self._ctx.base_folder / file.expanduser() if file is not None else None
        try:
            async with kubernetes_cluster(path, self._deploy.context) as cluster:
                yield cluster
        except ClusterError as exc:
            # The cluster's own words are for who runs us: they name accounts and addresses.
            self._ctx.log.warning(
                "kubernetes_failed",
                extra={"service": self._deploy.service, "reason": str(exc.__cause__)},
            )
            raise


@contextmanager
def _in_words(progress: Progress) -> Iterator[None]:
    try:
        yield
    except ClusterError as exc:
        changed = Changed.NOTHING if exc.is_settled else progress.changed
        raise DeployError(exc.user_message, changed) from exc
    except ToolFailedError as exc:
        raise DeployError(exc.user_message, progress.changed) from exc


def _replaced(workload: AnyWorkload, change: Change) -> str | None:
    """The very image that is to come back, if it is the one that was replaced last."""
    annotations = (workload.metadata.annotations if workload.metadata else None) or {}
    before = annotations.get(_REPLACED)
    is_meant = change.is_back and before is not None and tag_of(before) == change.version
    return before if is_meant else None


def _pods(workload: AnyWorkload) -> str:
    rollout = rollout_of(workload)
    return (
        f"{rollout.available} of {rollout.wanted} pods available, "
        f"{rollout.updated} of the newest template"
    )
