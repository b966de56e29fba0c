"""What a server's tools are called here: `github_create_issue` for `create-issue` of `github`."""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

LONGEST: Final = 41  # as of our own tools
_MARK: Final = 5  # an underscore and four letters that tell two names apart
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
    return {
        name: _marked(ours, name) if often[ours] > 1 or ours in busy or _is_cut(ours) else ours
        for name, ours in plain.items()
    }


def _plain(namespace: str, name: str) -> str:
    words = _OTHER.sub("_", _CAMEL.sub("_", name).lower()).strip("_") or "tool"
    return f"{namespace}_{words.removeprefix(f'{namespace}_')}"


def _is_cut(ours: str) -> bool:
    return len(ours) > LONGEST


def _marked(ours: str, name: str) -> str:
    mark = hashlib.sha256(name.encode(errors="replace")).hexdigest()[: _MARK - 1]
    return f"{ours[: LONGEST - _MARK].rstrip('_')}_{mark}"
