"""Runs the programs of a deployment, and says in words how they ended."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from lycatra_appservice.toolkit.base import ToolContext
from lycatra_appservice.tools._process import (
    Finished,
    minimal_environment,
    run_outliving,
    run_program,
)
from lycatra_appservice.tools.updates._deployers.port import Changed, DeployError

_MAX_BYTES = 262_144
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One run: `shown` is what people read of it, `changed` what a failure of it may have done."""

    argv: Sequence[str]
    shown: str
    seconds: float
    changed: Changed
    outlives: bool = False  # it goes on when it ends this process


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Those of one service; what they write is shown only if `show_output` says so."""

    service: str
    folder: Path
    show_output: bool
    ctx: ToolContext
    environment: Mapping[str, str] = field(default_factory=minimal_environment)

    async def ended_well(self, program: Program) -> str:
        """What it wrote, from the beginning. Raises DeployError."""
        finished = await self._ended(program)
        if finished.exit_code == 0:
            return finished.output.decode(errors="replace")
        said = _first_line(finished) if self.show_output else ""
        saying = f", saying: {said.rstrip('.')}" if said else ""
        raise DeployError(
            f"`{program.shown}` ended with exit code {finished.exit_code}{saying}.",
            program.changed,
        )

    async def _ended(self, program: Program) -> Finished:
        try:
            if program.outlives:
                return await self._outliving(program)
            return await run_program(
                program.argv,
                folder=self.folder,
                environment=self.environment,
                at_most=timedelta(seconds=program.seconds),
                max_bytes=_MAX_BYTES,
            )
        except TimeoutError as exc:
            said = f"`{program.shown}` did not end within {program.seconds:g} s."
            raise DeployError(said, program.changed) from exc
        except (OSError, ValueError) as exc:
            # The error's own text may hold more of the command than is to be shown.
            self.ctx.log.warning(
                "deploy_cannot_run", extra={"service": self.service, "reason": str(exc)}
            )
            raise DeployError(
                f"`{program.shown}` cannot be started; whoever runs me finds why in my log.",
                Changed.NOTHING,
            ) from exc

    async def _outliving(self, program: Program) -> Finished:
        exit_code = await run_outliving(
            program.argv,
            folder=self.folder,
            environment=self.environment,
            at_most=timedelta(seconds=program.seconds),
        )
        return Finished(exit_code=exit_code, output=b"", errors=b"")


def shown_argv(argv: Sequence[str]) -> str:
    """A command line as it can stand in Markdown."""
    return " ".join(shlex.join(argv).replace("`", "'").split())


def with_variables(*names: str) -> Mapping[str, str]:
    """The least that programs need, and of our own environment what is named."""
    found = {name: os.environ[name] for name in names if name in os.environ}
    return minimal_environment() | found


def _first_line(finished: Finished) -> str:
    lines = (finished.errors or finished.output).strip().splitlines()
    text = lines[0].decode(errors="replace") if lines else ""
    return " ".join(text.replace("`", "'").split())[:_SHOWN_CHARACTERS]
