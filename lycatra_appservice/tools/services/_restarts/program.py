"""Restarts by a program: a configured command, or systemctl."""

import os
import shlex
from collections.abc import Sequence
from datetime import timedelta

from lycatra_appservice.toolkit.base import ToolContext
from lycatra_appservice.tools._process import Finished, minimal_environment, run_program
from lycatra_appservice.tools.services._restart_settings import CommandRestart, SystemdRestart
from lycatra_appservice.tools.services._restarts.port import Outlook, Restarted, RestartError

_MAX_BYTES = 65_536
_SHOWN_CHARACTERS = 200


class ProgramRestarter:
    """Runs it to its end, without a shell; exit code 0 is a restart."""

    def __init__(self, restart: CommandRestart | SystemdRestart, ctx: ToolContext) -> None:
        """For one call."""
        self._restart = restart
        self._ctx = ctx

    async def outlook(self) -> Outlook:
        """What would be run."""
        return Outlook(steps=[f"runs `{_shown(self._restart)}`"])

    async def restart(self) -> Restarted:
        """Run it. Raises RestartError for another exit code, and when it takes too long."""
        restart, finished = self._restart, await self._ended()
        said = _first_line(finished) if restart.show_output else ""
        saying = f", saying: {said.rstrip('.')}" if said else ""
        if finished.exit_code != 0:
            why = f"`{_shown(restart)}` ended with exit code {finished.exit_code}{saying}."
            raise RestartError.not_begun(restart.service, why)
        return Restarted(
            how=f"`{_shown(restart)}` ended well{saying}",
            data={"exit_code": finished.exit_code, "output": said},
        )

    async def _ended(self) -> Finished:
        restart = self._restart
        try:
            return await run_program(
                restart.command,
                folder=self._ctx.base_folder,
                environment=_environment(restart),
                at_most=timedelta(seconds=restart.timeout_seconds),
                max_bytes=_MAX_BYTES,
            )
        except TimeoutError as exc:
            why = (
                f"`{_shown(restart)}` did not end within {restart.timeout_seconds:g} s and was "
                "stopped."
            )
            raise RestartError.uncertain(restart.service, why) from exc
        except (OSError, ValueError) as exc:
            # The error's own text may hold more of the command than is to be shown.
            self._ctx.log.warning(
                "restart_cannot_run", extra={"service": restart.service, "reason": str(exc)}
            )
            why = "Its command cannot be started; whoever runs me finds the reason in my log."
            raise RestartError.not_begun(restart.service, why) from exc


def _shown(restart: CommandRestart | SystemdRestart) -> str:
    shown = restart.shown or shlex.join(restart.command)
    return " ".join(shown.replace("`", "'").split())


def _environment(restart: CommandRestart | SystemdRestart) -> dict[str, str]:
    """A user's systemd is found by the folder that its session has."""
    folder = os.environ.get("XDG_RUNTIME_DIR")
    is_of_user = restart.kind == "systemd" and restart.user
    return minimal_environment() | ({"XDG_RUNTIME_DIR": folder} if is_of_user and folder else {})


def _first_line(finished: Finished) -> str:
    lines: Sequence[bytes] = (finished.errors or finished.output).strip().splitlines()
    text = lines[0].decode(errors="replace") if lines else ""
    return " ".join(text.replace("`", "'").split())[:_SHOWN_CHARACTERS]
