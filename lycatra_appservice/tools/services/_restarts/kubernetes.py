"""Restarts a workload of Kubernetes by a roll-out of the template that it has."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lycatra_appservice.toolkit.base import ToolContext, ToolFailedError
from lycatra_appservice.tools._kubernetes_cluster import (
    Cluster,
    ClusterError,
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
)
from lycatra_appservice.tools.services._seeing.kubernetes import (
    cluster_at,
    in_words,
    log_cluster_error,
    name_of,
    pods_in_words,
    workload_at,
)


class KubernetesRestarter:
    """A Deployment, StatefulSet or DaemonSet, whose pods the cluster replaces in its own way."""

    def __init__(self, restart: KubernetesRestart, ctx: ToolContext) -> None:
        """For one call."""
        self._restart = restart
        self._ctx = ctx
        self._which = name_of(restart)

    async def outlook(self) -> Outlook:
        """Its images, and its pods now. Raises ToolFailedError where no new ones would come."""
        workload = await self._looked_for()
        obstacle = obstacle_to_rollout(workload)
        if obstacle is not None:
            raise ToolFailedError(f"{self._name} cannot be restarted: {obstacle}.")
        images = ", ".join(f"`{each}`" for each in images_of(workload))
        return Outlook(
            steps=[f"replaces the pods of the {self._name} by new ones of {images}"],
            now=[f"now {pods_in_words(rollout_of(workload))}"],
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
        return in_words(self._restart)

    @asynccontextmanager
    async def _cluster(self) -> AsyncIterator[Cluster]:
        async with cluster_at(self._restart, self._service, self._ctx) as cluster:
            yield cluster

    async def _looked_for(self) -> AnyWorkload:
        return await workload_at(self._restart, self._service, self._ctx)

    async def _begin(self, cluster: Cluster, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await cluster.roll_out_again(self._which, self._ctx.now())
        except ClusterError as exc:
            if exc.is_settled:
                raise
            log_cluster_error(exc, self._service, self._ctx)
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
                    last = pods_in_words(rollout) if rollout else "it cannot be seen how far it is"
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
            log_cluster_error(exc, self._service, self._ctx)
            if not exc.is_settled:
                return None
            how = f"it cannot be seen how far that is. {exc.user_message.rstrip('.')}"
            raise RestartError.not_well(self._service, how) from exc
        if workload is None:
            raise RestartError.not_well(self._service, "it is not there any more")
        return rollout_of(workload)
