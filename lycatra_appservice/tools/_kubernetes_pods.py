"""Tells from the pods of a workload what the workload itself does not say; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from lightkube import operators
from lightkube.core.client import LabelSelector, LabelValue
from lightkube.models.core_v1 import ContainerState, ContainerStatus
from lightkube.models.meta_v1 import LabelSelectorRequirement
from lightkube.resources.core_v1 import Pod

from lycatra_appservice.tools._kubernetes_rollout import AnyWorkload

_STARTING = ("ContainerCreating", "PodInitializing")  # as every pod does for a moment
_MOST_REASONS = 3
_NO_STATE: Final = ContainerState()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pods:
    """`restarts` of all containers together, None where the pods could not be seen.

    `waiting` are the cluster's words for why containers do not run, such as `CrashLoopBackOff`;
    `running_since` is the latest start of those that run.
    """

    restarts: int | None = None
    waiting: Sequence[str] = field(default_factory=tuple)
    running_since: datetime | None = None


NO_PODS: Final = Pods()


def selector_of(workload: AnyWorkload) -> LabelSelector:
    """The labels by which it finds its pods, one requirement each; empty for what has none."""
    selector = workload.spec.selector if workload.spec is not None else None
    if selector is None:
        return {}
    asked = {each.key: _wanted(each) for each in selector.matchExpressions or ()}
    return {**asked, **(selector.matchLabels or {})}


def pods_seen(pods: Iterable[Pod]) -> Pods:
    """What they tell together; those that are on their way out do not count."""
    statuses = [
        each
        for pod in pods
        if pod.metadata is None or pod.metadata.deletionTimestamp is None
        for each in _statuses(pod)
    ]
    states = [each.state or _NO_STATE for each in statuses]
    reasons = [state.waiting.reason for state in states if state.waiting is not None]
    waiting = dict.fromkeys(each for each in reasons if each and each not in _STARTING)
    starts = [state.running.startedAt for state in states if state.running is not None]
    return Pods(
        restarts=sum(each.restartCount for each in statuses),
        waiting=list(waiting)[:_MOST_REASONS],
        running_since=max((each for each in starts if each is not None), default=None),
    )


def _statuses(pod: Pod) -> Sequence[ContainerStatus]:
    return (pod.status.containerStatuses or ()) if pod.status is not None else ()


def _wanted(requirement: LabelSelectorRequirement) -> LabelValue:
    values = requirement.values or []
    match requirement.operator:
        case "In":
            return values
        case "NotIn":
            return operators.not_in(values)
        case "DoesNotExist":
            return operators.not_exists()
        case _:  # it has to have that label
            return None
