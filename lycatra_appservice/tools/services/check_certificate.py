"""The tool that looks at the TLS certificates of hosts, and says how long they are good for."""

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from pydantic import field_validator

from lycatra_appservice.toolkit.base import (
    JSON,
    Field,
    InvalidArgumentsError,
    Scope,
    Tool,
    ToolArgs,
    ToolContext,
    ToolResult,
)
from lycatra_appservice.tools._tables import table
from lycatra_appservice.tools.services._certificates.looking import (
    SOON_DAYS,
    Shown,
    look_at_certificates,
)
from lycatra_appservice.tools.services._certificates.places import CertificatePlace, read_place
from lycatra_appservice.tools.services._settings import ServicesSettings

_MOST_NAMES = 10
_MOST_AT_ONCE = 20


class CheckCertificateArgs(ToolArgs):
    """Whose certificate."""

    host: str | None = Field(
        default=None,
        max_length=260,
        description="`host` or `host:port`; all configured ones without it.",
    )

    @field_validator("host", mode="before")
    @classmethod
    def _empty_is_all(cls, value: JSON) -> JSON:
        return None if value == "" else value


async def run(args: CheckCertificateArgs, ctx: ToolContext) -> ToolResult:
    """Raises InvalidArgumentsError for what is no host, OutboundRefusedError for a closed one."""
    places = _places(args.host, ctx.settings(ServicesSettings))
    shown = await look_at_certificates(places[:_MOST_AT_ONCE], ctx)
    left = len(places) - len(shown)
    return ToolResult(
        data={"certificates": [_as_json(each, ctx.zone) for each in shown]},
        markdown=_as_markdown(shown, ctx.zone),
        note=f"{left} more are configured; ask for one by its host" if left else None,
    )


def _places(host: str | None, settings: ServicesSettings) -> Sequence[CertificatePlace]:
    if host is None:
        configured = settings.certificate_places
        if not configured:
            raise InvalidArgumentsError(
                "No service here is asked by https. Say which host, such as `example.org`.",
                ["`host` is needed here, such as example.org or mail.example.org:993"],
            )
        return configured
    of_check = settings.certificate_place_of(host)
    if of_check is not None:
        return [of_check]
    text = host.removeprefix("https://").rstrip("/")
    try:
        return [read_place(text)]
    except ValueError as exc:
        raise InvalidArgumentsError(
            f"That is no host that I could ask: it {exc}.", [f"`host` {exc}"]
        ) from exc


def _as_json(shown: Shown, zone: ZoneInfo) -> JSON:
    facts: dict[str, JSON] = {
        "host": str(shown.place),
        "valid": shown.is_valid,
        "problems": list(shown.problems),
    }
    found = shown.certificate
    if found is None:
        return facts
    return {
        **facts,
        "days_left": shown.days_left,
        "expires": found.not_after.astimezone(zone).isoformat(),
        "issuer": found.issuer,
        "names": list(found.names[:_MOST_NAMES]),
        "names_total": len(found.names),
        "tls": shown.protocol,
    }


def _as_markdown(shown: Sequence[Shown], zone: ZoneInfo) -> str:
    rows = [(_mark(each), str(each.place), *_facts(each, zone)) for each in shown]
    bad = sum(not each.is_valid for each in shown)
    head = f"**{bad} of {len(shown)} not valid**" if bad else f"**All {len(shown)} valid**"
    if len(shown) == 1:
        head = "**Not valid**" if bad else "**Valid**"
    return f"{head}\n\n{table(('', 'Host', 'Until', 'Of', 'For'), rows)}"


def _mark(shown: Shown) -> str:
    if not shown.is_valid:
        return f"❌ {'; '.join(shown.problems)}"
    return "⚠️ expires soon" if shown.days_left < SOON_DAYS else "✅ valid"


def _facts(shown: Shown, zone: ZoneInfo) -> tuple[str, str, str]:
    found = shown.certificate
    if found is None:
        return "", "", ""
    day = found.not_after.astimezone(zone).date().isoformat()
    more = len(found.names) - _MOST_NAMES
    names = ", ".join(f"`{each}`" for each in found.names[:_MOST_NAMES])
    until = f"{day} ({shown.days_left} d), {shown.protocol}"
    return until, found.issuer, f"{names} and {more} more" if more > 0 else names


def _has_work(settings: ServicesSettings) -> bool:
    return bool(settings.checks or settings.certificates)


TOOL = Tool(
    name="check_certificate",
    title="Check certificate",
    summary=(
        "Looks at a host's TLS certificate: valid or why not, days left, issuer, names. "
        "Use it when somebody asks about one."
    ),
    args=CheckCertificateArgs,
    run=run,
    example="check certificate example.org",
    timeout=timedelta(seconds=45),
    cache_for=timedelta(seconds=60),
    scope=Scope.SHARED,
    also_called=("certificate", "tls", "ssl"),
    has_work=_has_work,
)
