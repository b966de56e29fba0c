"""`POST /hooks/updates`: whoever has the secret, such as a CI, tells of a version of a service."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from lycatra_appservice.toolkit.base import (
    JSON,
    Accepted,
    Field,
    Hook,
    HookRefusedError,
    HookRequest,
    News,
    ToolContext,
)
from lycatra_appservice.tools.updates._announcing import news_of_one, take_in
from lycatra_appservice.tools.updates._hooked.reading import digest_of, read_object
from lycatra_appservice.tools.updates._hooked.signatures import check_ours
from lycatra_appservice.tools.updates._release import release
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.tools.updates._versions import VERSION

_MAX_BYTES: Final = 64 * 1024


class Told(BaseModel):
    """What the body says. `id` is the sender's own, for what it sends again."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    service: Annotated[str, Field(min_length=1, max_length=60)]
    version: Annotated[str, Field(pattern=VERSION)]
    title: Annotated[str, Field(max_length=500)] = ""
    notes: Annotated[str, Field(max_length=20_000)] = ""
    url: Annotated[str, Field(max_length=500, pattern=r"^https?://\S+$")] | None = None
    id: Annotated[str, Field(min_length=1, max_length=200)] | None = None


def accept(request: HookRequest, settings: UpdatesSettings, now: float) -> Accepted:
    """Keep what tells of a service that is watched. Raises HookRefusedError."""
    secret = settings.hooks.updates
    if secret is None:
        raise HookRefusedError(404, "no secret is configured")
    header = request.headers.get("x-lycatra-signature", "")
    signed = check_ours(header, request.body, secret.accepted, now)
    told = _told(request.body)
    if _service(told.service, settings) is None:
        raise HookRefusedError(422, "no source in `watch` has this service")
    named = signed
    if told.id:
        named = "\0".join((told.service, told.version, told.id)).encode(errors="replace")
    return Accepted(id=digest_of(named), data=told.model_dump(exclude={"id"}))


async def take(data: JSON, ctx: ToolContext) -> Sequence[News]:
    """Keep the release, and tell it. Raises ToolFailedError when the database is away."""
    service = _service(data["service"], ctx.settings(UpdatesSettings))
    if service is None:  # it was configured until just now
        return []
    found = release(data["version"], title=data["title"], notes=data["notes"], url=data["url"])
    await take_in(service, [found], ctx)
    return await news_of_one(service, found.name, ctx)


def _told(body: bytes) -> Told:
    try:
        return Told.model_validate(read_object(body))
    except ValidationError as exc:
        wrong = sorted({str(each["loc"][0])[:40] for each in exc.errors() if each["loc"]})
        raise HookRefusedError(400, f"wrong or missing: {', '.join(wrong)}") from None


def _service(name: str, settings: UpdatesSettings) -> str | None:
    """As it is configured."""
    for each in settings.watch:
        if each.default_service.casefold() == name.casefold():
            return each.default_service
    return None


def has_work(settings: UpdatesSettings) -> bool:
    """Whether somebody can sign."""
    return settings.hooks.updates is not None


HOOK: Final = Hook(
    name="updates", accept=accept, take=take, has_work=has_work, max_bytes=_MAX_BYTES
)
