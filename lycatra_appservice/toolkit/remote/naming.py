"""What a server's tools are called here: `github_create_issue` for `create-issue` of `github`."""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

LONGEST: Final = 41  # as of our own tools
_MARK: Final = 4  # letters that tell two names apart; more where somebody has such a name
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OTHER: Final = re.compile(r"[^a-z0-9]+")


def status_name(namespace: str) -> str:
    """The tool of our own that says how the server is."""
    return f"{namespace}_status"


def names_for(namespace: str, names: Sequence[str], taken: Collection[str]) -> Mapping[str, str]:
    """Our name for each of a server's, whatever order they come in.

    `taken` are names of tools that live elsewhere. What would be called like another one gets a
    mark made of its own name, so that it is called the same whatever else there is.
    """
    plain = {name: _plain(namespace, name) for name in dict.fromkeys(names)}
    often = Counter(plain.values())
    busy = {*taken, status_name(namespace)}
    found: dict[str, str] = {}
    for name, ours in plain.items():
        is_free = often[ours] == 1 and ours not in busy and len(ours) <= LONGEST
        found[name] = ours if is_free else _marked(ours, name, {*busy, *often, *found.values()})
    return found


def _plain(namespace: str, name: str) -> str:
    words = _OTHER.sub("_", _CAMEL.sub("_", name).lower()).strip("_") or "tool"
    return f"{namespace}_{words.removeprefix(f'{namespace}_')}"


def _marked(ours: str, name: str, busy: Collection[str]) -> str:
    whole = hashlib.sha256(name.encode(errors="replace")).hexdigest()
    marked = (
        f"{ours[: LONGEST - letters - 1].rstrip('_')}_{whole[:letters]}"
        for letters in range(_MARK, LONGEST // 2)
    )
    return next(each for each in marked if each not in busy)
