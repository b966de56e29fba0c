"""Where `lycatra tool call` is noted: in the audit of the service, if that has run already."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lycatra_appservice.audit.entry import Entry
from lycatra_appservice.audit.trail import AuditTrail
from lycatra_appservice.cli.command import refuse_shared_mount
from lycatra_appservice.cli.existing_database import existing_database
from lycatra_appservice.settings import DatabaseSettings
from lycatra_appservice.toolkit.observing import CallAudit


class _Nowhere:
    """For who tries a tool out before there is a service, whose audit this would be."""

    def fingerprint(self, text: str) -> str:
        return ""

    async def note(self, entry: Entry) -> None:
        return

    async def write(self, entry: Entry) -> None:
        await self.note(entry)


@asynccontextmanager
async def noted(settings: DatabaseSettings) -> AsyncIterator[CallAudit]:
    """What keeps the calls made inside. Raises what `existing_database` does."""
    refuse_shared_mount(settings)
    file = settings.sqlite_file
    if file is not None and not file.exists():
        yield _Nowhere()
        return
    async with existing_database(settings) as database, AuditTrail(database) as trail:
        yield trail
