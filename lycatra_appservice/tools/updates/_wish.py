"""What somebody wants deployed, and what that changes as things stand; pure but for a look."""

from dataclasses import dataclass

from lycatra_appservice.toolkit.base import InvalidArgumentsError, ToolContext, ToolFailedError
from lycatra_appservice.tools._words import did_you_mean
from lycatra_appservice.tools.updates._book import Book
from lycatra_appservice.tools.updates._deploy_settings import Deploy
from lycatra_appservice.tools.updates._deployers.port import Change, Running
from lycatra_appservice.tools.updates._phase import Ended
from lycatra_appservice.tools.updates._settings import UpdatesSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants; without a version, the one before the one that runs."""

    deploy: Deploy
    version: str | None

    @property
    def service(self) -> str:
        """Its name as it is configured."""
        return self.deploy.service


def wish_of(service: str, version: str | None, ctx: ToolContext) -> Wish:
    """The configured service. Raises InvalidArgumentsError for another one."""
    configured = ctx.settings(UpdatesSettings).deploy
    for each in configured:
        if each.service.casefold() == service.casefold():
            return Wish(deploy=each, version=version)
    names = sorted(each.service for each in configured)
    named = " ".join(service.replace("`", "'").split())
    raise InvalidArgumentsError(
        f"I cannot deploy a service called `{named}`. {did_you_mean(service, names)}",
        [f"`service` is one of {', '.join(names)}"],
    )


def change_for(wish: Wish, book: Book, running: Running) -> Change:
    """From what runs to what is wanted. Raises ToolFailedError where no way back is known."""
    now = running.version or book.failing or book.good
    if wish.version is not None:
        return Change(version=wish.version, previous=_good(wish.version, now, book))
    before = book.version_before(now)
    if before is None:
        raise ToolFailedError(
            f"I know of no version of `{wish.service}` before {now or 'the one that runs'}. "
            "Look with `!list deployments`, and deploy the one that you mean."
        )
    return Change(version=before, previous=now, is_back=True)


def is_there(wish: Wish, book: Book, seen: Running) -> bool:
    """Whether there is nothing to do; what nobody can see is taken from what was kept last."""
    if not seen.ok or wish.version is None:
        return False
    if seen.version is not None:
        return True  # well is only the version that was looked for
    return book.good == wish.version and book.failing is None


def nothing_to_do(wish: Wish, book: Book) -> str:
    """Why, with who had it deployed, if that was here."""
    kept = (
        each for each in book.entries if each.ended is Ended.KEPT and each.version == wish.version
    )
    entry = next(kept, None)
    since = f", deployed for {entry.asked_by}" if entry else ""
    return f"`{wish.service}` runs {wish.version} already{since}: nothing to do."


def _good(version: str, now: str | None, book: Book) -> str | None:
    """What to go back to: what runs, unless that has failed or is the same again."""
    back = book.good if now is None or now in (version, book.failing) else now
    return back if back != version else None
