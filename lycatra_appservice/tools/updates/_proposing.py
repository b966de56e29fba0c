"""Whether a release is worth asking people to deploy it."""

from collections.abc import Sequence

from lycatra_appservice.toolkit.base import Proposal, ToolContext, ToolFailedError
from lycatra_appservice.tools.updates._deploy_settings import Deploy
from lycatra_appservice.tools.updates._deployers.choosing import deployer_of
from lycatra_appservice.tools.updates._history import history_of
from lycatra_appservice.tools.updates._looking import running_now
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.tools.updates._version_order import is_newer, plain
from lycatra_appservice.tools.updates._versions import is_version


async def is_worth_deploying(
    service: str, version: str, others: Sequence[str], ctx: ToolContext
) -> bool:
    """Whether it can be deployed, is newer than what runs, and none of the others is newer.

    A version that nobody can compare is taken for newer than what it comes after. Raises
    ToolFailedError when the database is away.
    """
    deploy = deploy_of(service, ctx)
    if deploy is None or not is_version(version):
        return False
    if any(is_newer(each, version) for each in others):
        return False
    now = await _version_now(deploy, ctx)
    if now is None:
        return True
    newer = is_newer(version, now)
    return plain(version) != plain(now) if newer is None else newer


def proposal_of(service: str, version: str, ctx: ToolContext) -> Proposal | None:
    """What people are asked; None for what is not to be deployed any more."""
    deploy = deploy_of(service, ctx)
    if deploy is None:
        return None
    return Proposal(tool="deploy_update", args={"service": deploy.service, "version": version})


def deploy_of(service: str, ctx: ToolContext) -> Deploy | None:
    """How a service is deployed, if it is."""
    for each in ctx.settings(UpdatesSettings).deploy:
        if each.service.casefold() == service.casefold():
            return each
    return None


async def _version_now(deploy: Deploy, ctx: ToolContext) -> str | None:
    """What is being deployed, what runs, or what was kept last."""
    book = await history_of(deploy.service, ctx).readable_book()
    way = book.current(ctx.now())
    if way is not None:
        return way.entry.version
    try:
        running = await running_now(deployer_of(deploy, ctx), deploy)
    except ToolFailedError:  # its extra is not installed
        return book.good
    return running.version or book.good
