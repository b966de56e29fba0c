"""Deploys by programs that the operator has configured."""

from collections.abc import Sequence

from lycatra_appservice.toolkit.base import ToolContext, ToolFailedError
from lycatra_appservice.tools.updates._deploy_settings import CommandDeploy
from lycatra_appservice.tools.updates._deployers.port import (
    Change,
    Changed,
    DeployError,
    Outlook,
    Running,
)
from lycatra_appservice.tools.updates._deployers.programs import Program, Programs, shown_argv
from lycatra_appservice.tools.updates._versions import is_version

_PREVIOUS = "{previous}"
_TO_LOOK_SECONDS = 20.0


class CommandDeployer:
    """Runs each to its end, without a shell; exit code 0 is a success."""

    def __init__(self, deploy: CommandDeploy, ctx: ToolContext) -> None:
        """For one call."""
        self._deploy = deploy
        self._programs = Programs(
            service=deploy.service,
            folder=ctx.base_folder,
            show_output=deploy.show_output,
            ctx=ctx,
        )

    @property
    def is_repeatable(self) -> bool:
        """Whether it is said to be, or how far it came can be looked at first."""
        return self._deploy.repeatable or self._deploy.current is not None

    @property
    def tries_out(self) -> bool:
        """Whether there is a program for it."""
        return self._deploy.canary is not None

    async def outlook(self, change: Change) -> Outlook:
        """What would be run."""
        self._check(change)
        return Outlook(steps=[f"runs `{self._shown(self._argv(change), change)}`"])

    async def running(self) -> Running:
        """What the program for that prints; without one it cannot be seen."""
        if self._deploy.current is None:
            return Running(version=None, ok=True, detail="cannot be seen")
        program = Program(
            argv=self._filled(self._deploy.current, None),
            shown="the command that prints the version",
            seconds=_TO_LOOK_SECONDS,
            changed=Changed.NOTHING,
        )
        lines = (await self._programs.ended_well(program)).split()
        if lines and is_version(lines[0]):
            return Running(version=lines[0], ok=True, detail=f"says that it is {lines[0]}")
        return Running(version=None, ok=False, detail="prints no version")

    async def apply(self, change: Change) -> None:
        """Run what brings it, or what brings it back. Raises DeployError."""
        self._check(change)
        await self._run(self._argv(change), change, Changed.MAYBE)

    async def try_out(self, change: Change) -> None:
        """Run the program for it, if there is one. Raises DeployError."""
        if self._deploy.canary is not None:
            await self._run(self._deploy.canary, change, Changed.NOTHING)

    async def keep(self) -> None:
        """Nothing is held ready."""

    async def _run(self, argv: Sequence[str], change: Change, changed: Changed) -> None:
        is_canary = changed is Changed.NOTHING
        deploy = self._deploy
        await self._programs.ended_well(
            Program(
                argv=self._filled(argv, change),
                shown=self._shown(argv, change),
                seconds=deploy.canary_seconds if is_canary else deploy.apply_seconds,
                changed=changed,
                outlives=deploy.itself and not is_canary,
            )
        )

    def _argv(self, change: Change) -> Sequence[str]:
        back = self._deploy.rollback if change.is_back else None
        return back or self._deploy.apply

    def _check(self, change: Change) -> None:
        # What is no version would be a mistake of ours: people's words are checked before.
        for version in filter(None, (change.version, change.previous)):
            if not is_version(version):
                raise ToolFailedError(f"`{self._deploy.service}` cannot have such a version.")
        if change.previous is None and any(_PREVIOUS in part for part in self._argv(change)):
            raise DeployError(
                f"I do not know which version of `{self._deploy.service}` runs, which its command "
                "has to be told.",
                Changed.NOTHING,
            )

    def _shown(self, argv: Sequence[str], change: Change) -> str:
        return self._deploy.shown or shown_argv(self._filled(argv, change))

    def _filled(self, argv: Sequence[str], change: Change | None) -> Sequence[str]:
        values = {"{service}": self._deploy.service}
        if change is not None:
            values |= {"{version}": change.version, _PREVIOUS: change.previous or ""}
        return [_replaced(part, values) for part in argv]


def _replaced(part: str, values: dict[str, str]) -> str:
    # No value has braces, so none can stand for another.
    for placeholder, value in values.items():
        part = part.replace(placeholder, value)
    return part
