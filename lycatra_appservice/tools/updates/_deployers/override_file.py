"""The compose file that sets a service's image, and nothing else; only Lycatra writes it."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from lycatra_appservice.tools.updates._deployers.port import Changed, DeployError

_FIRST_LINE = "# Written by Lycatra at each deployment.\n"


@dataclass(frozen=True, slots=True)
class OverrideFile:
    """Where it is, and the compose service that it speaks of."""

    path: Path
    compose_service: str

    @property
    def is_there(self) -> bool:
        """Whether a deployment has written it."""
        return self.path.is_file()

    def write(self, image: str) -> None:
        """Set the image: afterwards the file is the new one or the old one. Raises DeployError."""
        content = json.dumps({"services": {self.compose_service: {"image": image}}}, indent=2)
        half = self.path.with_name(f".{self.path.name}.new")
        try:
            with half.open("w", encoding="utf-8") as file:
                file.write(f"{_FIRST_LINE}{content}\n")  # JSON is YAML, too
                file.flush()
                os.fsync(file.fileno())
            half.replace(self.path)
        except OSError as exc:
            said = f"The file `{self.path.name}`, which sets the image, cannot be written."
            raise DeployError(said, Changed.NOTHING) from exc
