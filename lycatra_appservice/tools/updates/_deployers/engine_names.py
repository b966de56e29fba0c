"""The names that containers have during a deployment, by which a later run finds them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Names:
    """Of one container: `live` is its own."""

    live: str

    @property
    def old(self) -> str:
        """The one before it, until the new one is kept."""
        return f"{self.live}.lycatra-old"

    @property
    def new(self) -> str:
        """The one that comes, until it has the name."""
        return f"{self.live}.lycatra-new"

    @property
    def canary(self) -> str:
        """The one that is tried out."""
        return f"{self.live}.lycatra-canary"
