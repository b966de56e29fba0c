"""Tells from a workload how far its roll-out is, as `kubectl rollout status` does; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lightkube.models.apps_v1 import (
    DaemonSetSpec,
    DaemonSetUpdateStrategy,
    DeploymentSpec,
    StatefulSetSpec,
    StatefulSetUpdateStrategy,
)
from lightkube.resources.apps_v1 import DaemonSet, Deployment, StatefulSet

AnyWorkload: TypeAlias = Deployment | StatefulSet | DaemonSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """`updated` of the `wanted` pods are made from the newest template, `available` serve."""

    wanted: int
    updated: int
    available: int
    is_done: bool = False
    has_failed: bool = False  # the cluster has given it up


def rollout_of(workload: AnyWorkload) -> Rollout:
    """How far a workload's newest template is rolled out."""
    match workload:
        case Deployment():
            return _of_deployment(workload)
        case StatefulSet():
            return _of_stateful_set(workload)
        case DaemonSet():
            return _of_daemon_set(workload)


def obstacle_to_rollout(workload: AnyWorkload) -> str | None:
    """Why a new template would not be rolled out now, if it would not."""
    match workload.spec:
        case DeploymentSpec(paused=True):
            return "its roll-out is paused"
        case (
            StatefulSetSpec(updateStrategy=StatefulSetUpdateStrategy(type="OnDelete"))
            | DaemonSetSpec(updateStrategy=DaemonSetUpdateStrategy(type="OnDelete"))
        ):
            return "its pods stay until somebody deletes them (`OnDelete`)"
        case DeploymentSpec(replicas=0) | StatefulSetSpec(replicas=0):
            return "it is scaled to 0 pods"
        case _:
            return None


def images_of(workload: AnyWorkload) -> Sequence[str]:
    """The images of its template, in the order of its containers."""
    return list(containers_of(workload).values())


def containers_of(workload: AnyWorkload) -> Mapping[str, str]:
    """The images of its template by the names of its containers, in their order."""
    pod = workload.spec.template.spec if workload.spec is not None else None
    return {each.name: each.image or "" for each in pod.containers} if pod is not None else {}


def _of_deployment(workload: Deployment) -> Rollout:
    status, wanted = workload.status, _wanted(workload)
    if status is None:
        return Rollout(wanted=wanted, updated=0, available=0)
    updated, available = status.updatedReplicas or 0, status.availableReplicas or 0
    is_seen = _is_seen(workload, status.observedGeneration)
    old_ones = (status.replicas or 0) - updated
    return Rollout(
        wanted=wanted,
        updated=updated,
        available=available,
        is_done=is_seen and updated >= wanted and old_ones <= 0 and available >= updated,
        has_failed=is_seen
        and any(
            each.type == "Progressing" and each.reason == "ProgressDeadlineExceeded"
            for each in status.conditions or ()
        ),
    )


def _of_stateful_set(workload: StatefulSet) -> Rollout:
    status, wanted = workload.status, _wanted(workload)
    if status is None:
        return Rollout(wanted=wanted, updated=0, available=0)
    strategy = workload.spec.updateStrategy if workload.spec is not None else None
    rolling = strategy.rollingUpdate if strategy is not None else None
    kept = (rolling.partition or 0) if rolling is not None else 0  # those stay as they are
    updated, ready = status.updatedReplicas or 0, status.readyReplicas or 0
    is_new = kept > 0 or status.updateRevision == status.currentRevision
    return Rollout(
        wanted=wanted,
        updated=updated,
        available=ready,
        is_done=_is_seen(workload, status.observedGeneration)
        and ready >= wanted
        and updated >= wanted - kept
        and is_new,
    )


def _of_daemon_set(workload: DaemonSet) -> Rollout:
    status = workload.status
    if status is None:
        return Rollout(wanted=0, updated=0, available=0)
    wanted = status.desiredNumberScheduled
    updated, available = status.updatedNumberScheduled or 0, status.numberAvailable or 0
    return Rollout(
        wanted=wanted,
        updated=updated,
        available=available,
        is_done=_is_seen(workload, status.observedGeneration)
        and updated >= wanted
        and available >= wanted,
    )


def _wanted(workload: Deployment | StatefulSet) -> int:
    replicas = workload.spec.replicas if workload.spec is not None else None
    return 1 if replicas is None else replicas


def _is_seen(workload: AnyWorkload, observed: int | None) -> bool:
    """Whether the state tells of the newest template, and not of one before it."""
    generation = workload.metadata.generation if workload.metadata is not None else None
    return (observed or 0) >= (generation or 0)
