"""`POST /hooks/github`: GitHub, Gitea or Forgejo tells that a release was published."""

from collections.abc import Mapping, Sequence
from typing import Final

from lycatra_appservice.toolkit.base import (
    JSON,
    Accepted,
    Hook,
    HookRefusedError,
    HookRequest,
    News,
    ToolContext,
)
from lycatra_appservice.tools.updates._announcing import news_of_one, take_in
from lycatra_appservice.tools.updates._hooked.reading import digest_of, read_object
from lycatra_appservice.tools.updates._hooked.signatures import check_github
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.tools.updates._watch_settings import GithubWatch, HookWatch
from lycatra_appservice.tools.updates._watching.github import release_in

# A release that was early first is `released` later, without being published again.
_ACTIONS: Final = ("published", "released")
_KEPT: Final = (
    "tag_name",
    "name",
    "html_url",
    "url",
    "published_at",
    "created_at",
    "draft",
    "prerelease",
)
_LONGEST_VALUE: Final = 500
_LONGEST_NOTES: Final = 4000


def accept(request: HookRequest, settings: UpdatesSettings, _: float) -> Accepted | None:
    """Keep what tells of a release of a repository that is watched.

    Raises HookRefusedError. The delivery's id is not signed, so it names nothing here: a body
    that comes again under another id is the same.
    """
    secret = settings.hooks.github
    if secret is None:
        raise HookRefusedError(404, "no secret is configured")
    signature = request.headers.get("x-hub-signature-256", "")
    check_github(signature, request.body, secret.accepted)
    event = request.headers.get("x-github-event")
    if not event:
        raise HookRefusedError(400, "X-GitHub-Event is missing")
    if event != "release":
        return None
    said = read_object(request.body)
    repository, release = _part(said, "repository").get("full_name"), _part(said, "release")
    if not isinstance(repository, str) or not release:
        raise HookRefusedError(400, "there is no repository or no release in it")
    sources = _sources(repository, settings)
    if said.get("action") not in _ACTIONS or not any(release_in(release, s) for s in sources):
        return None
    data = {"repository": repository, "release": _kept(release)}
    return Accepted(id=digest_of(request.body), data=data)


async def take(data: JSON, ctx: ToolContext) -> Sequence[News]:
    """Keep the release, and tell it. Raises ToolFailedError when the database is away."""
    news: list[News] = []
    for source in _sources(data["repository"], ctx.settings(UpdatesSettings)):
        release = release_in(data["release"], source)
        if release is not None:
            await take_in(source.default_service, [release], ctx)
            news += await news_of_one(source.default_service, release.name, ctx)
    return news


def _sources(repository: str, settings: UpdatesSettings) -> Sequence[GithubWatch | HookWatch]:
    return [
        each
        for each in settings.watch
        if isinstance(each, GithubWatch | HookWatch)
        and each.repository is not None
        and each.repository.casefold() == repository.casefold()
    ]


def _part(said: Mapping[str, JSON], name: str) -> Mapping[str, JSON]:
    found = said.get(name)
    return found if isinstance(found, Mapping) else {}


def _kept(release: Mapping[str, JSON]) -> dict[str, JSON]:
    body = release.get("body")
    kept = {name: _bounded(release.get(name)) for name in _KEPT}
    return {**kept, "body": body[:_LONGEST_NOTES] if isinstance(body, str) else ""}


def _bounded(value: JSON) -> JSON:
    if isinstance(value, bool) or value is None:
        return value
    return value[:_LONGEST_VALUE] if isinstance(value, str) else None


def has_work(settings: UpdatesSettings) -> bool:
    """Whether somebody can sign."""
    return settings.hooks.github is not None


HOOK: Final = Hook(name="github", accept=accept, take=take, has_work=has_work)
