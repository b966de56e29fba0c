"""From a wish to its end: what `deploy_update` and `rollback_update` have in common."""

import secrets
from collections.abc import Mapping
from dataclasses import replace

from lycatra_appservice.toolkit.base import JSON, Plan, ToolContext, ToolFailedError, ToolResult
from lycatra_appservice.tools.updates._book import Entry
from lycatra_appservice.tools.updates._deploy_settings import Deploy
from lycatra_appservice.tools.updates._deployed import report_of
from lycatra_appservice.tools.updates._deployers.choosing import deployer_of
from lycatra_appservice.tools.updates._deployers.port import Change, Deployer
from lycatra_appservice.tools.updates._deployment import deployed
from lycatra_appservice.tools.updates._history import history_of
from lycatra_appservice.tools.updates._looking import looks_of, running_now
from lycatra_appservice.tools.updates._once import done_again
from lycatra_appservice.tools.updates._phase import Outcome
from lycatra_appservice.tools.updates._phases import Surroundings
from lycatra_appservice.tools.updates._wish import Wish, change_for, is_there, nothing_to_do


async def planned(wish: Wish, ctx: ToolContext) -> Plan:
    """What would be done. Raises ToolFailedError where there is nothing to do, or no way to."""
    deployer = deployer_of(wish.deploy, ctx)
    history = history_of(wish.service, ctx)
    book = (await history.book()).settled(ctx.now())
    busy = book.current(ctx.now())
    if busy is not None:
        raise history.busy(busy)
    running = await running_now(deployer, wish.deploy)
    change = change_for(wish, book, running)
    if is_there(wish, book, await looks_of(deployer, wish.deploy, ctx)(change.version)):
        raise ToolFailedError(nothing_to_do(wish, book))
    outlook = await deployer.outlook(change)
    return Plan(
        target=wish.service,
        steps=[
            _from_to(wish.service, change),
            *(["tries it out first"] if deployer.tries_out and not change.is_back else []),
            *outlook.steps,
            _afterwards(wish.deploy, change),
        ],
        now=outlook.now or [f"now `{wish.service}` {running.detail}"],
        look=f"list deployments {wish.service}",
    )


async def carried_out(wish: Wish, ctx: ToolContext) -> ToolResult:
    """Do it under an approval; after a crash the same again goes on where that had come to.

    Raises ToolFailedError only where nothing was begun, or another deployment has taken over.
    """
    deployer = deployer_of(wish.deploy, ctx)
    begun = await _begun(wish, deployer, ctx)
    if "refused" in begun:
        raise ToolFailedError(begun["refused"])
    if "nothing" in begun:
        data: JSON = {"service": wish.service, "version": wish.version, "state": "kept"}
        return ToolResult(data=data, markdown=begun["nothing"])
    entry = Entry.from_json(begun["entry"])
    history = history_of(wish.service, ctx)

    async def hold(phase: str) -> None:
        await history.hold(entry.deployment_id, phase, wish.deploy)

    change = Change(version=entry.version, previous=entry.previous, is_back=entry.is_back)
    look = looks_of(deployer, wish.deploy, ctx)
    around = Surroundings(step=ctx.step, tell=ctx.progress, look=look, hold=hold)
    outcome = await deployed(deployer, wish.deploy, change, around)
    return await _written_down(wish, entry, outcome, ctx)


async def _begun(wish: Wish, deployer: Deployer, ctx: ToolContext) -> Mapping[str, JSON]:
    """The entry of this deployment, or why there is none; the same in every run of the call."""

    async def named() -> JSON:
        return secrets.token_hex(4)

    async def begun_or_not() -> JSON:
        try:
            return await _begin(wish, deployer, deployment_id, ctx)
        except ToolFailedError as exc:
            return {"refused": exc.user_message}

    deployment_id = await done_again(ctx.step, "id", named)
    found: Mapping[str, JSON] = await done_again(ctx.step, "begin", begun_or_not)
    return found


async def _begin(wish: Wish, deployer: Deployer, deployment_id: str, ctx: ToolContext) -> JSON:
    history = history_of(wish.service, ctx)
    book = (await history.book()).settled(ctx.now())
    ours = book.under_way
    if ours is not None and ours.entry.deployment_id == deployment_id:
        return {"entry": ours.entry.to_json()}  # begun, and cut off before that was written down
    change = change_for(wish, book, await running_now(deployer, wish.deploy))
    if is_there(wish, book, await looks_of(deployer, wish.deploy, ctx)(change.version)):
        return {"nothing": nothing_to_do(wish, book)}
    entry = Entry(
        deployment_id=deployment_id,
        version=change.version,
        previous=change.previous,
        is_back=change.is_back,
        asked_by=ctx.caller.user_id,
        approved_by=ctx.approved_by,
        began_at=ctx.now(),
    )
    await history.begin(entry, wish.deploy)
    return {"entry": entry.to_json()}


async def _written_down(
    wish: Wish, entry: Entry, outcome: Outcome, ctx: ToolContext
) -> ToolResult:
    async def end() -> JSON:
        ended = replace(entry, ended_at=ctx.now(), ended=outcome.ended, why=outcome.why)
        return await history_of(wish.service, ctx).end(ended)

    is_noted = await done_again(ctx.step, "end", end)
    return report_of(wish.service, entry, outcome, is_noted=bool(is_noted))


def _from_to(service: str, change: Change) -> str:
    to = "back to" if change.is_back else "to"
    return f"brings `{service}` from {change.previous or 'a version unknown to me'} {to} " + (
        change.version
    )


def _afterwards(deploy: Deploy, change: Change) -> str:
    stays = f" and stays so for {deploy.watch_seconds:g} s" if deploy.watch_seconds else ""
    well = f"keeps it if it is well within {deploy.health_seconds:g} s{stays}"
    if change.is_back:
        return f"{well}; else says so"
    if deploy.keep_going:
        return f"{well}; else leaves it as it is"
    if change.previous is None:
        return f"{well}; else leaves it as it is, as no version before it is known"
    return f"{well}; else brings {change.previous} back"
