"""Reads the body of a request that was signed by somebody whom we know."""

import hashlib
import json
from collections.abc import Mapping

from lycatra_appservice.toolkit.base import JSON, HookRefusedError


def read_object(body: bytes) -> Mapping[str, JSON]:
    """The JSON object that it is. Raises HookRefusedError."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise HookRefusedError(400, "the body is not JSON; set the content type to it") from None
    if not isinstance(found, Mapping):
        raise HookRefusedError(400, "the body is no JSON object")
    return found


def digest_of(signed: bytes) -> str:
    """Names what was signed: nothing else of a request is sure to be its sender's."""
    return hashlib.sha256(signed).hexdigest()[:40]
