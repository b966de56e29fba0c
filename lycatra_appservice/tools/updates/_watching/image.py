"""Looks at the tags of an image, by the distribution API of its registry."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urljoin, urlsplit

from lycatra_appservice.toolkit.base import JSON, HttpAnswer, OutboundError
from lycatra_appservice.tools.updates._release import Release, release
from lycatra_appservice.tools.updates._version_order import newest_first
from lycatra_appservice.tools.updates._watch_settings import ImageWatch
from lycatra_appservice.tools.updates._watching.asking import Asking, validators_of
from lycatra_appservice.tools.updates._watching.port import Listing, SourceDownError, Validators
from lycatra_appservice.tools.updates._watching.registry import Registry

MAX_BYTES: Final = 2_000_000
MOST_VERSIONS: Final = 1000  # the highest ones
_MOST_PAGES: Final = 20
_A_PAGE: Final = 1000
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_MANIFESTS: Final = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)


async def look_at_image(source: ImageWatch, asking: Asking, before: Validators) -> Listing | None:
    """The highest versions, or None for nothing new. Raises SourceDownError."""
    registry = Registry(source, asking)
    url = f"{source.api}/v2/{source.path}/tags/list?n={_A_PAGE}"
    first = asking.changed(await registry.get(url, before.conditions), before)
    if first is None:
        return None
    tags = dict.fromkeys(_tags(first))
    following, pages = _next(first, url), 1
    while following is not None:
        if pages == _MOST_PAGES:
            raise SourceDownError(f"it has more than {_MOST_PAGES} pages of tags")
        page = await registry.get(following)
        asking.check(page)
        tags |= dict.fromkeys(_tags(page))
        following, pages = _next(page, following), pages + 1
    return Listing(
        releases=await _releases(list(tags), source, registry),
        # What stands on the first of several pages says nothing of the others.
        validators=validators_of(first) if pages == 1 else Validators(),
        wait=asking.wait(first),
    )


async def _releases(
    tags: Sequence[str], source: ImageWatch, registry: Registry
) -> Sequence[Release]:
    tag_of = {version: tag for tag in tags if (version := source.version_of(tag))}
    found = [release(each) for each in newest_first(list(tag_of))[:MOST_VERSIONS]]
    if source.digest and found:
        digest = await _digest(tag_of[found[0].version], source, registry)
        found[0] = replace(found[0], digest=digest)
    return found


async def _digest(tag: str, source: ImageWatch, registry: Registry) -> str:
    """What a tag points to now; empty where the registry does not say."""
    url = f"{source.api}/v2/{source.path}/manifests/{tag}"
    answer = await registry.get(url, {"Accept": _MANIFESTS}, method="HEAD")
    kind, _, value = answer.headers.get("Docker-Content-Digest", "").partition(":")
    is_one = answer.status == 200 and kind == "sha256" and len(value) == 64 and value.isalnum()
    return f"sha256:{value}" if is_one else ""


def _tags(answer: HttpAnswer) -> Sequence[str]:
    try:
        said = answer.json()
    except OutboundError as exc:
        raise SourceDownError("its answer is not JSON") from exc
    if not isinstance(said, Mapping) or "tags" not in said:
        raise SourceDownError("its answer is no list of tags")
    tags: JSON = said["tags"] or []  # null, where all were deleted
    if not isinstance(tags, list):
        raise SourceDownError("its answer is no list of tags")
    return [each for each in tags if _is_tag(each)]


def _is_tag(found: JSON) -> bool:
    return isinstance(found, str) and _TAG.fullmatch(found) is not None


def _next(answer: HttpAnswer, url: str) -> str | None:
    """Where the next page is, which has to be at the same place."""
    for link in answer.headers.get("Link", "").split(","):
        target, *parameters = (each.strip() for each in link.split(";"))
        if "rel=next" not in [each.replace('"', "") for each in parameters]:
            continue
        try:
            following = urljoin(url, target.strip("<>"))
            is_there = _origin(following) == _origin(url)
        except ValueError as exc:
            raise SourceDownError("its next page has no valid address") from exc
        if not is_there:
            raise SourceDownError("its next page is somewhere else")
        return None if following == url else following
    return None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
