"""Restarts a workload of Kubernetes by a roll-out of the template that it has."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lycatra_appservice.toolkit.base import ToolContext, ToolFailedError
from lycatra_appservice.tools._kubernetes_cluster import (
    Cluster,
    ClusterError,
    WorkloadName,
    kubernetes_cluster,
)
from lycatra_appservice.tools._kubernetes_rollout import (
    AnyWorkload,
    Rollout,
    images_of,
    obstacle_to_rollout,
    rollout_of,
)
from lycatra_appservice.tools._pauses import growing_pauses
from lycatra_appservice.tools.services._restart_settings import KubernetesRestart
from lycatra_appservice.tools.services._restarts.port import (
    Outlook,
    Restarted,
    RestartError,
    State,
)

_TO_ANSWER_SECONDS = 5.0  # for a look at what is there


class KubernetesRestarter:
    """A Deployment, StatefulSet or DaemonSet, whose pods the cluster replaces in its own way."""

    def __init__(self, restart: KubernetesRestart, ctx: ToolContext) -> None:
        """For one call."""
        self._restart = restart
        self._ctx = ctx
        kind, _, name = restart.workload.partition("/")
        self._which = WorkloadName(kind=kind, name=name, namespace=restart.namespace)

    async def outlook(self) -> Outlook:
        """Its images, and its pods now. Raises ToolFailedError where no new ones would come."""
        workload = await self._looked_for()
        obstacle = obstacle_to_rollout(workload)
        if obstacle is not None:
            raise ToolFailedError(f"{self._name} cannot be restarted: {obstacle}.")
        images = ", ".join(f"`{each}`" for each in images_of(workload))
        return Outlook(
            steps=[f"replaces the pods of the {self._name} by new ones of {images}"],
            now=[f"now {_pods(rollout_of(workload))}"],
        )

    async def state(self) -> State:
        """Whether all of its pods are there."""
        rollout = rollout_of(await self._looked_for())
        return State(
            ok=rollout.available >= rollout.wanted and not rollout.has_failed,
            detail=_pods(rollout),
        )

    async def restart(self) -> Restarted:
        """Ask for it, and wait for its end. Raises RestartError with what was seen last."""
        deadline = asyncio.get_running_loop().time() + self._restart.timeout_seconds
        try:
            async with self._cluster() as cluster:
                await self._begin(cluster, deadline)
                done = await self._end(cluster, deadline)
        except ClusterError as exc:  # before anything was asked
            raise RestartError.not_begun(self._service, exc.user_message) from exc
        return Restarted(
            how=f"{done.updated} of {done.wanted} pods of the {self._name} are new",
            data={"pods": done.updated},
        )

    @property
    def _service(self) -> str:
        return self._restart.service

    @property
    def _name(self) -> str:
        which = self._which
        return f"{which.kind} `{which.name}` in the namespace `{which.namespace}`"

    @asynccontextmanager
    async def _cluster(self) -> AsyncIterator[Cluster]:
        file = self._restart.kubeconfig
        path = self._ctx.base_folder / file.expanduser() if file is not None else None
        try:
            async with kubernetes_cluster(path, self._restart.context) as cluster:
                yield cluster
        except ClusterError as exc:
            self._log(exc)
            raise

    async def _looked_for(self) -> AnyWorkload:
        """What is there; raises ToolFailedError for nothing, too."""
        try:
            async with asyncio.timeout(_TO_ANSWER_SECONDS), self._cluster() as cluster:
                workload = await cluster.workload(self._which)
        except TimeoutError as exc:
            said = f"The cluster did not answer within {_TO_ANSWER_SECONDS:g} s."
            raise ClusterError(said) from exc
        if workload is None:
            raise ToolFailedError(f"The cluster has no {self._name}.")
        return workload

    async def _begin(self, cluster: Cluster, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await cluster.roll_out_again(self._which, self._ctx.now())
        except ClusterError as exc:
            if exc.is_settled:
                raise
            self._log(exc)
            raise RestartError.uncertain(self._service, exc.user_message) from exc
        except TimeoutError as exc:
            why = f"The cluster did not answer within {self._restart.timeout_seconds:g} s."
            raise RestartError.uncertain(self._service, why) from exc

    async def _end(self, cluster: Cluster, deadline: float) -> Rollout:
        last = "nothing of it was seen"
        try:
            async with asyncio.timeout_at(deadline):
                for pause in growing_pauses():
                    rollout = await self._seen(cluster)
                    last = _pods(rollout) if rollout else "it cannot be seen how far it is"
                    if rollout is not None and rollout.is_done:
                        return rollout
                    if rollout is not None and rollout.has_failed:
                        break
                    await asyncio.sleep(pause)
        except TimeoutError as exc:
            how = (
                f"the roll-out is not done after {self._restart.timeout_seconds:g} s: {last}. "
                "The cluster goes on with it"
            )
            raise RestartError.not_well(self._service, how) from exc
        how = f"the cluster has given the roll-out up: {last}. Its old pods may still serve"
        raise RestartError.not_well(self._service, how)

    async def _seen(self, cluster: Cluster) -> Rollout | None:
        """How far it is; None when the cluster did not tell, which may be better in a moment."""
        try:
            workload = await cluster.workload(self._which)
        except ClusterError as exc:
            self._log(exc)
            if not exc.is_settled:
                return None
            how = f"it cannot be seen how far that is. {exc.user_message.rstrip('.')}"
            raise RestartError.not_well(self._service, how) from exc
        if workload is None:
            raise RestartError.not_well(self._service, "it is not there any more")
        return rollout_of(workload)

    def _log(self, error: ClusterError) -> None:
        """The cluster's own words are for who runs us: they name accounts and addresses."""
        self._ctx.log.warning(
            "kubernetes_failed", extra={"service": self._service, "reason": str(error.__cause__)}
        )


def _pods(rollout: Rollout) -> str:
    return (
        f"{rollout.available} of {rollout.wanted} pods available, "
        f"{rollout.updated} of the newest template"
    )
