"""Finds a workload and tells how its pods are doing; needs the extra `kubernetes`."""

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
from lycatra_appservice.tools._kubernetes_pods import NO_PODS, Pods
from lycatra_appservice.tools._kubernetes_rollout import (
    AnyWorkload,
    Rollout,
    images_of,
    rollout_of,
)
from lycatra_appservice.tools._places import InCluster
from lycatra_appservice.tools.services._seeing.state import State

_TO_ANSWER_SECONDS = 5.0


def name_of(place: InCluster) -> WorkloadName:
    """As a cluster is asked for it."""
    kind, _, name = place.workload.partition("/")
    return WorkloadName(kind=kind, name=name, namespace=place.namespace)


def in_words(place: InCluster) -> str:
    """As people read of it."""
    which = name_of(place)
    return f"{which.kind} `{which.name}` in the namespace `{which.namespace}`"


@asynccontextmanager
async def cluster_at(place: InCluster, service: str, ctx: ToolContext) -> AsyncIterator[Cluster]:
    """Its cluster; what ends in ClusterError is logged."""
    file = place.kubeconfig
    path = ctx.base_folder / file.expanduser() if file is not None else None
    try:
        async with kubernetes_cluster(path, place.context) as cluster:
            yield cluster
    except ClusterError as exc:
        log_cluster_error(exc, service, ctx)
        raise


def log_cluster_error(error: ClusterError, service: str, ctx: ToolContext) -> None:
    """The cluster's own words are for who runs us: they name accounts and addresses."""
    ctx.log.warning(
        "kubernetes_failed", extra={"service": service, "reason": str(error.__cause__)}
    )


async def workload_at(place: InCluster, service: str, ctx: ToolContext) -> AnyWorkload:
    """What is there; raises ToolFailedError for nothing, too."""
    workload, _ = await _looked_for(place, service, ctx, with_pods=False)
    return workload


async def workload_state(place: InCluster, service: str, ctx: ToolContext) -> State:
    """Whether all of its pods are there, and how often they had to be restarted."""
    workload, pods = await _looked_for(place, service, ctx, with_pods=True)
    rollout = rollout_of(workload)
    waits = f"; waiting: {', '.join(pods.waiting)}" if pods.waiting else ""
    return State(
        ok=rollout.available >= rollout.wanted and not rollout.has_failed,
        detail=pods_in_words(rollout) + waits,
        images=images_of(workload),
        restarts=pods.restarts,
        running_since=pods.running_since,
    )


def pods_in_words(rollout: Rollout) -> str:
    """`2 of 3 pods available, 3 of the newest template`."""
    return (
        f"{rollout.available} of {rollout.wanted} pods available, "
        f"{rollout.updated} of the newest template"
    )


async def _looked_for(
    place: InCluster, service: str, ctx: ToolContext, *, with_pods: bool
) -> tuple[AnyWorkload, Pods]:
    which = name_of(place)
    pods = NO_PODS
    try:
        async with (
            asyncio.timeout(_TO_ANSWER_SECONDS),
            cluster_at(place, service, ctx) as cluster,
        ):
            workload = await cluster.workload(which)
            if workload is not None and with_pods:
                pods = await _pods(cluster, which, workload)
    except TimeoutError as exc:
        said = f"The cluster did not answer within {_TO_ANSWER_SECONDS:g} s."
        raise ClusterError(said) from exc
    if workload is None:
        raise ToolFailedError(f"The cluster has no {in_words(place)}.")
    return workload, pods


async def _pods(cluster: Cluster, which: WorkloadName, workload: AnyWorkload) -> Pods:
    """What its pods tell beside; nothing where the account may not list them."""
    try:
        return await cluster.pods_of(which, workload)
    except ClusterError as exc:
        if exc.is_settled:
            return NO_PODS
        raise
