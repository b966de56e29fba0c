"""Chooses what restarts a service by the kind that is configured."""

from lycatra_appservice.toolkit.base import ToolContext
from lycatra_appservice.tools._places import DOCKER, KUBERNETES
from lycatra_appservice.tools.services._restart_settings import (
    CommandRestart,
    DockerRestart,
    KubernetesRestart,
    Restart,
    SystemdRestart,
)
from lycatra_appservice.tools.services._restarts.port import Restarter
from lycatra_appservice.tools.services._restarts.program import ProgramRestarter


def restarter_of(restart: Restart, ctx: ToolContext) -> Restarter:
    """For one call. Raises ToolFailedError where an extra is not installed."""
    match restart:
        case CommandRestart() | SystemdRestart():
            return ProgramRestarter(restart, ctx)
        case DockerRestart():
            with DOCKER.needed():
                from lycatra_appservice.tools.services._restarts.docker import DockerRestarter
            return DockerRestarter(restart, ctx)
        case KubernetesRestart():
            with KUBERNETES.needed():
                from lycatra_appservice.tools.services._restarts.kubernetes import (
                    KubernetesRestarter,
                )
            return KubernetesRestarter(restart, ctx)
