"""Looks at the releases of a repository, by GitHub's API or one that is like it."""

from collections.abc import Mapping
from typing import Final

from lycatra_appservice.toolkit.base import JSON, OutboundError
from lycatra_appservice.tools._web import web_address
from lycatra_appservice.tools.updates._release import Release, release
from lycatra_appservice.tools.updates._watch_settings import GithubWatch, HookWatch
from lycatra_appservice.tools.updates._watching.asking import Asking, validators_of
from lycatra_appservice.tools.updates._watching.port import Listing, SourceDownError, Validators

MAX_BYTES: Final = 4_000_000
_MOST: Final = 15  # long notes and many files make each large
_LONGEST_TAG: Final = 200


async def look_at_github(
    source: GithubWatch, asking: Asking, before: Validators
) -> Listing | None:
    """The newest releases, or None for nothing new. Raises SourceDownError."""
    address = web_address(source.base_url)
    # Gitea and Forgejo say `limit`.
    url = (
        f"{address.url.rstrip('/')}/repos/{source.repository}/releases"
        f"?per_page={_MOST}&limit={_MOST}"
    )
    headers = {"Accept": "application/vnd.github+json, application/json", **address.headers}
    if source.token is not None:
        headers["Authorization"] = f"Bearer {source.token.get_secret_value()}"
    answer = await asking.fresh(url, headers, before)
    if answer is None:
        return None
    try:
        records = answer.json()
    except OutboundError as exc:
        raise SourceDownError("its answer is not JSON") from exc
    if not isinstance(records, list):
        raise SourceDownError("its answer is no list of releases; is `base_url` that of its API?")
    return Listing(
        releases=[each for record in records if (each := release_in(record, source))],
        passed_over=[name for record in records if (name := _passed_over(record, source))],
        validators=validators_of(answer),
        wait=asking.wait(answer),
    )


def release_in(record: JSON, source: GithubWatch | HookWatch) -> Release | None:
    """What a record of the API tells, unless it is a draft or does not count."""
    tag = _tag(record)
    if tag is None or (record.get("prerelease") and not source.prereleases):
        return None
    version = source.version_of(tag)
    if not version:
        return None
    return release(
        version,
        title="" if record.get("name") == tag else record.get("name"),
        notes=record.get("body"),
        url=record.get("html_url") or record.get("url"),
        when=record.get("published_at") or record.get("created_at"),
    )


def _passed_over(record: JSON, source: GithubWatch) -> str | None:
    """The name of what is not final yet, and may become so."""
    tag = _tag(record)
    is_early = tag is not None and record.get("prerelease") and not source.prereleases
    version = source.version_of(tag) if tag and is_early else None
    return release(version).name if version else None


def _tag(record: JSON) -> str | None:
    if not isinstance(record, Mapping) or record.get("draft"):
        return None
    tag = record.get("tag_name")
    return tag if isinstance(tag, str) and 0 < len(tag) <= _LONGEST_TAG else None
