"""Calls `restart_service` as the chat does: asked, approved, run."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.toolkit.approvals import Approved, NeedsApprovalError
from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.toolbox import Toolbox
from lycatra_appservice.tools.services._settings import ServicesSettings
from tests.support.toolbench import OPERATOR, bench


@asynccontextmanager
async def toolbox(folder: Path, *restarts: Any, **more: Any) -> AsyncIterator[Toolbox]:
    settings = ServicesSettings.model_validate({"restarts": restarts, **more})
    async with bench(registry=discover(), settings={"services": settings}, folder=folder) as on:
        yield on.toolbox(OPERATOR)


async def asked(box: Toolbox, service: str = "web") -> NeedsApprovalError:
    """What people would be shown."""
    with pytest.raises(NeedsApprovalError) as needed:
        await box.call("restart_service", {"service": service})
    return needed.value


async def approved(box: Toolbox, hashed: str, service: str = "web") -> ToolResult:
    """What comes of the call that was approved."""
    return await box.call(
        "restart_service",
        {"service": service},
        approved=Approved(number=7, args_hash=hashed, code="AAAA", by=[OPERATOR]),
    )


async def restarted(box: Toolbox, service: str = "web") -> ToolResult:
    """The result, as after an approval."""
    return await approved(box, (await asked(box, service)).args_hash, service)


async def failure(box: Toolbox, service: str = "web") -> str:
    """What people read when an approved restart does not end well."""
    hashed = (await asked(box, service)).args_hash
    with pytest.raises(ToolFailedError) as failed:
        await approved(box, hashed, service)
    return failed.value.user_message


async def refusal(box: Toolbox, service: str = "web") -> str:
    """What people read instead of a card."""
    with pytest.raises(ToolFailedError) as failed:
        await box.call("restart_service", {"service": service})
    return failed.value.user_message


async def status(box: Toolbox, service: str = "web") -> dict[str, Any]:
    """The line of the service status."""
    result = await box.call("get_service_status", {"service": service})
    [line] = result.data["services"]
    return {key: line[key] for key in ("name", "ok", "detail")}


def lines(needed: NeedsApprovalError) -> Sequence[str]:
    """What a card shows, bound or not."""
    return [*needed.plan.steps, *needed.plan.now]
