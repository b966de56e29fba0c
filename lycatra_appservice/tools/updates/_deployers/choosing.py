"""Chooses what deploys a service by the kind that is configured."""

from lycatra_appservice.toolkit.base import ToolContext
from lycatra_appservice.tools._places import DOCKER, KUBERNETES
from lycatra_appservice.tools.updates._deploy_settings import (
    CommandDeploy,
    ComposeDeploy,
    Deploy,
    DockerDeploy,
    KubernetesDeploy,
)
from lycatra_appservice.tools.updates._deployers.command import CommandDeployer
from lycatra_appservice.tools.updates._deployers.compose import ComposeDeployer
from lycatra_appservice.tools.updates._deployers.port import Deployer


def deployer_of(deploy: Deploy, ctx: ToolContext) -> Deployer:
    """For one call. Raises ToolFailedError where an extra is not installed."""
    match deploy:
        case CommandDeploy():
            return CommandDeployer(deploy, ctx)
        case ComposeDeploy():
            return ComposeDeployer(deploy, ctx)
        case DockerDeploy():
            with DOCKER.needed():
                from lycatra_appservice.tools.updates._deployers.docker import DockerDeployer
            return DockerDeployer(deploy, ctx)
        case KubernetesDeploy():
            with KUBERNETES.needed():
                from lycatra_appservice.tools.updates._deployers.kubernetes import (
                    KubernetesDeployer,
                )
            return KubernetesDeployer(deploy, ctx)
