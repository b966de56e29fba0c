"""What can be restarted, and how: `restarts` of the `tools.services` section."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import field_validator

from lycatra_appservice.toolkit.base import Field, ToolSettings

MOST_RESTARTS = 40

_PLACEHOLDER = "{service}"


class _Restart(ToolSettings):
    """What all of them have."""

    service: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^`\s{}]+$")]
    timeout_seconds: Annotated[float, Field(gt=0, le=45)] = 30


class CommandRestart(_Restart):
    """Run a program by its argument list, without a shell; `{service}` stands for the name.

    People who are asked for their approval read the arguments; where these hold secrets, `shown`
    is what they read instead. What the program writes is shown only if `show_output` says so.
    """

    kind: Literal["command"]
    argv: Annotated[tuple[Annotated[str, Field(max_length=2000)], ...], Field(min_length=1)]
    shown: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    show_output: bool = False

    @property
    def command(self) -> Sequence[str]:
        """The argument list that is run."""
        return [part.replace(_PLACEHOLDER, self.service) for part in self.argv]

    @field_validator("argv")
    @classmethod
    def _can_be_run(cls, argv: tuple[str, ...]) -> tuple[str, ...]:
        if not argv[0].strip() or any("\0" in part for part in argv):
            raise ValueError("should begin with a program, and have no NUL in it")
        return argv


class SystemdRestart(_Restart):
    """Restart a unit with systemctl, of the system or, with `user`, of Lycatra's own user."""

    kind: Literal["systemd"]
    unit: Annotated[str, Field(pattern=r"^[A-Za-z0-9_@][A-Za-z0-9:_.@\\-]{0,200}$")]
    user: bool = False
    show_output: bool = True  # systemctl says why, and knows no secrets

    @property
    def command(self) -> Sequence[str]:
        """The argument list that is run."""
        return ["systemctl", *(["--user"] if self.user else []), "restart", "--", self.unit]

    @property
    def shown(self) -> None:
        """The command itself is fit to be shown."""
        return None


Restart: TypeAlias = Annotated[CommandRestart | SystemdRestart, Field(discriminator="kind")]
