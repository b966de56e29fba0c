"""A deployment as a whole: try out, apply, check, watch; then keep it, or go back.

Every phase is a step of the call's journal. A run that goes on after a crash is given what the
phases before gave, looks how far the one came that was cut off, and goes on from there.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

from lycatra_appservice.toolkit.base import JSON, StepCutOffError
from lycatra_appservice.tools.updates._deploy_settings import Deploy
from lycatra_appservice.tools.updates._deployers.port import (
    Change,
    Changed,
    Deployer,
    DeployError,
)
from lycatra_appservice.tools.updates._looking import (
    Verdict,
    is_running,
    running_now,
    stays_well,
    well,
)
from lycatra_appservice.tools.updates._once import MOST_TIMES, done_again, nth
from lycatra_appservice.tools.updates._phase import Ended, Outcome, Phase
from lycatra_appservice.tools.updates._phases import Phases, Surroundings

_CANARY: Final = "canary"
_APPLY: Final = "apply"
_HEALTH: Final = "health check"
_WATCH: Final = "watch"
_KEEP: Final = "keep"
_BACK: Final = "roll back"
_HEALTH_BACK: Final = "health check after the roll-back"
# What is done about an `apply` that was cut off.
_GO_ON, _ONCE_MORE, _GO_BACK = "go on", "once more", "go back"
_KEEP_SECONDS: Final = 120.0
_GRACE_SECONDS: Final = 2.0


async def deployed(
    deployer: Deployer, deploy: Deploy, change: Change, around: Surroundings
) -> Outcome:
    """Bring a version to its end, good or bad.

    Raises ToolFailedError only where it must not go on, StepCutOffError where it cannot.
    """
    return await _Deployment(deployer, deploy, change, around).ended()


class _Deployment:
    def __init__(
        self, deployer: Deployer, deploy: Deploy, change: Change, around: Surroundings
    ) -> None:
        self._deployer = deployer
        self._deploy = deploy
        self._change = change
        self._around = around
        self._shown = _shown_phases(deployer, deploy, change)
        what = f"`{deploy.service}` {change.version}"
        self._phases = Phases(what, self._shown, around)

    async def ended(self) -> Outcome:
        change, deploy = self._change, self._deploy
        if _CANARY in self._shown:
            tried = await self._phases.repeatable(_CANARY, lambda: self._tried_out(change))
            if not tried.ok:
                return self._outcome(Ended.NOT_DEPLOYED, f"{tried.why} Nothing was changed.")
        applied = await self._applied(_APPLY, change)
        if not applied.ok and applied.changed is Changed.NOTHING:
            return self._outcome(Ended.NOT_DEPLOYED, f"{applied.why} Nothing was changed.")
        failed = applied if not applied.ok else await self._not_well()
        if failed is None:
            kept = await self._phases.repeatable(_KEEP, self._kept)
            return self._outcome(Ended.KEPT, "" if kept.ok else f"Afterwards: {kept.why}")
        why = f"{_capital(failed.name)}: {failed.why}"
        if change.is_back:
            return self._outcome(Ended.NOT_ROLLED_BACK, why)
        if deploy.keep_going:
            return self._outcome(Ended.NOT_ROLLED_BACK, f"{why} It was left as it is.")
        return await self._gone_back(why)

    async def _not_well(self) -> Phase | None:
        """The phase that says so, if one does."""
        version, around, deploy = self._change.version, self._around, self._deploy
        hear = self._phases.telling(_HEALTH)
        checked = await self._phases.repeatable(
            _HEALTH, lambda: well(around.look, version, deploy, hear)
        )
        if not checked.ok:
            return checked
        if _WATCH not in self._shown:
            return None
        hear = self._phases.telling(_WATCH)
        watched = await self._phases.repeatable(
            _WATCH, lambda: stays_well(around.look, version, deploy, hear)
        )
        return None if watched.ok else watched

    async def _gone_back(self, why: str) -> Outcome:
        back = self._change.back
        if back is None:
            why = f"{why} No version before it is known, so it was left as it is."
            return self._outcome(Ended.NOT_ROLLED_BACK, why)
        if self._deploy.itself and await self._is_there(back):
            gone = self._phases.note(Phase(name=_BACK, ok=True, why="it runs again", took_ms=0))
        else:
            gone = await self._applied(_BACK, back)
        if not gone.ok:
            return self._outcome(Ended.NOT_ROLLED_BACK, f"{why} The roll-back failed: {gone.why}")
        look, hear = self._around.look, self._phases.telling(_HEALTH_BACK)
        checked = await self._phases.repeatable(
            _HEALTH_BACK, lambda: well(look, back.version, self._deploy, hear)
        )
        if not checked.ok:
            why = f"{why} It was rolled back to {back.version}, which is {checked.why}"
            return self._outcome(Ended.NOT_ROLLED_BACK, why)
        return self._outcome(Ended.ROLLED_BACK, why)

    async def _is_there(self, back: Change) -> bool:
        """Whether somebody else has brought it back, as nobody was there to do it."""

        async def look() -> JSON:
            # Well, too: who looks may be the old version only as nobody has replaced it yet.
            running = await self._around.look(back.version)
            return running.ok and is_running(running, back.version, self._deploy)

        return bool(await done_again(self._around.step, f"{_BACK}: is there", look))

    async def _applied(self, name: str, change: Change) -> Phase:
        """Apply it; what was cut off is looked after before it is done once more."""
        for number in range(1, MOST_TIMES):
            this = nth(name, number)
            # What was cut off may have changed something, whatever the next try says of itself.
            at_least = Changed.NOTHING if number == 1 else Changed.MAYBE
            try:
                return await self._phases.once(this, name, partial(self._apply, change, at_least))
            except StepCutOffError:
                what = await done_again(
                    self._around.step, f"{this}: look", lambda: self._look_after(name, change)
                )
            if what == _GO_ON:
                return self._phases.note(
                    _cut_off(name, ok=True, why="it was cut off, and is there")
                )
            if what == _GO_BACK:
                why = "It was cut off, and nobody can see how far it came."
                if self._deploy.itself:
                    why = f"It was cut off, and {change.version} does not run."
                return self._phases.note(_cut_off(name, ok=False, why=why))
        why = "It was cut off too often."
        return self._phases.note(_cut_off(name, ok=False, why=why))

    async def _look_after(self, name: str, change: Change) -> JSON:
        version, deploy = change.version, self._deploy
        if deploy.itself:
            # What was begun may just now be replacing this process, or another replica.
            seen = await well(self._around.look, version, deploy, self._phases.telling(name))
            if change.is_back and not seen.ok:
                return _ONCE_MORE
        # Whether it is well, too, is found out later.
        running = await running_now(self._deployer, deploy)
        is_there = is_running(running, version, deploy)
        if is_there and running.ok:
            return _GO_ON
        if deploy.itself and not change.is_back:
            # It has had its time. What is gone again was bad, and is not to come a second time.
            return _GO_ON if is_there else _GO_BACK
        # Going back is the last thing to be done, so it is better done twice than not at all.
        if self._deployer.is_repeatable or change.is_back:
            return _ONCE_MORE
        return _GO_ON if is_there else _GO_BACK

    async def _apply(self, change: Change, at_least: Changed) -> Verdict:
        try:
            # What has a time of its own says better what took so long.
            async with asyncio.timeout(self._deploy.apply_seconds + _GRACE_SECONDS):
                await self._deployer.apply(change)
        except DeployError as exc:
            if exc.changed is Changed.NOTHING and at_least is not Changed.NOTHING:
                raise DeployError(exc.user_message, at_least) from exc
            raise
        return Verdict(True, "")

    async def _tried_out(self, change: Change) -> Verdict:
        deploy = self._deploy
        async with asyncio.timeout(deploy.apply_seconds + deploy.canary_seconds + _GRACE_SECONDS):
            await self._deployer.try_out(change)
        return Verdict(True, "")

    async def _kept(self) -> Verdict:
        async with asyncio.timeout(_KEEP_SECONDS):
            await self._deployer.keep()
        return Verdict(True, "")

    def _outcome(self, ended: Ended, why: str) -> Outcome:
        return Outcome(ended=ended, why=why, phases=self._phases.done)


def _shown_phases(deployer: Deployer, deploy: Deploy, change: Change) -> Sequence[str]:
    """Those of a deployment that goes well, of which people read how far it is."""
    first = [_CANARY] if deployer.tries_out and not change.is_back else []
    return [*first, _APPLY, _HEALTH, *([_WATCH] if deploy.watch_seconds else [])]


def _cut_off(name: str, *, ok: bool, why: str) -> Phase:
    return Phase(name=name, ok=ok, why=why, took_ms=0, changed=Changed.MAYBE)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
