"""Requests to our hooks as GitHub and a CI sign them."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

GITHUB_SECRET = "secret-of-github-hooks"
CI_SECRET = "secret-of-the-ci-hooks"


def github_request(
    said: Any, *, secret: str = GITHUB_SECRET, event: str = "release", delivery: str = "one"
) -> tuple[bytes, Mapping[str, str]]:
    """Body and headers of a delivery; what is bytes is sent as it is."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    headers = {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": f"sha256={signature(body, secret)}",
    }
    return body, headers


def ci_request(
    said: Any, *, at: float, secret: str = CI_SECRET
) -> tuple[bytes, Mapping[str, str]]:
    """The same of the hook for everybody, signed at a time in seconds since 1970."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    signed = signature(b"%d.%b" % (at, body), secret)
    return body, {"X-Lycatra-Signature": f"t={int(at)},v1={signed}"}


def signature(signed: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def published(tag: str, repository: str = "me/shop", **more: Any) -> dict[str, Any]:
    """What GitHub tells of a release."""
    release = {"tag_name": tag, "name": tag, "draft": False, "prerelease": False, "body": ""}
    return {
        "action": "published",
        "release": {**release, **more},
        "repository": {"full_name": repository},
    }
