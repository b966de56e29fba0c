"""Looks at a container, a compose service or a workload, whichever it is."""

from typing import TypeAlias

from lycatra_appservice.toolkit.base import ToolContext
from lycatra_appservice.tools._places import DOCKER, KUBERNETES, InCluster
from lycatra_appservice.tools.services._check_settings import ContainerCheck, KubernetesCheck
from lycatra_appservice.tools.services._restart_settings import SeenRestart
from lycatra_appservice.tools.services._seeing.state import State

# What runs where it can be looked at.
Seen: TypeAlias = ContainerCheck | KubernetesCheck | SeenRestart


async def state_at(seen: Seen, service: str, ctx: ToolContext) -> State:
    """How it is doing. Raises ToolFailedError where that cannot be seen, or it is not there."""
    if isinstance(seen, InCluster):
        with KUBERNETES.needed():
            from lycatra_appservice.tools.services._seeing.kubernetes import workload_state
        return await workload_state(seen, service, ctx)
    with DOCKER.needed():
        from lycatra_appservice.tools.services._seeing.docker import containers_at, state_of
    return state_of(await containers_at(seen, service, ctx))
