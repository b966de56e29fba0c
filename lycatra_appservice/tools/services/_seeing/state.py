"""What can be seen of something that runs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

_SHORT_ID = 12  # characters, as Docker shows one
_DIGEST = re.compile(r"sha256:([0-9a-f]{12,64})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How it is doing. `detail` and all the rest are safe to show.

    `restarts` are those that its engine has counted, if it told. `running_since` is the latest
    start of what is running now.
    """

    ok: bool
    detail: str
    images: Sequence[str] = field(default_factory=tuple)
    restarts: int | None = None
    running_since: datetime | None = None

    @property
    def tags(self) -> Sequence[str]:
        """The tags of its images, each once."""
        return list(dict.fromkeys(image_tag(each) for each in self.images))


def image_tag(image: str) -> str:
    """`1.27` of `nginx:1.27`, `latest` where none is written, the short digest where that is."""
    digest = _DIGEST.search(image)
    name = image[: digest.start()].rstrip("@") if digest else image
    tag = name.rpartition("/")[2].partition(":")[2]
    if digest and not tag:
        return f"sha256:{digest[1][:_SHORT_ID]}"
    return tag or "latest"


def read_moment(text: str) -> datetime | None:
    """A time as Docker writes it, in UTC; None for none, as of what was never started."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.tzinfo is None or found.year < 2000:  # Docker's zero is the year 1
        return None
    return found.astimezone(UTC)
