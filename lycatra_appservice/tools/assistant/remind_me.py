"""The tool that reminds people, lists their reminders, and takes them back."""

from datetime import datetime, timedelta
from typing import Final

from lycatra_appservice.toolkit.base import (
    JSON,
    ONLY_BY_NAME,
    TOLD_LATER,
    Field,
    InvalidArgumentsError,
    Tool,
    ToolArgs,
    ToolContext,
    ToolFailedError,
    ToolResult,
)
from lycatra_appservice.tools._plain import plain_text
from lycatra_appservice.tools.assistant._discreet import check_discreet
from lycatra_appservice.tools.assistant._reminders import (
    LONGEST,
    cancelled,
    check_number,
    listed,
    moment,
    reminders_of,
    timer_name,
    waiting,
)
from lycatra_appservice.tools.assistant._when import EXAMPLES
from lycatra_appservice.tools.assistant._wish import when_and_what

_SHOWN: Final = 60  # characters of what could not be understood


class RemindMeArgs(ToolArgs):
    """When, and of what; nothing lists what waits."""

    when: str | None = Field(
        default=None,
        max_length=40,
        description="in 20 minutes, friday 14:30, 2026-12-24 18:00; else a list.",
    )
    text: str = Field(default="", max_length=LONGEST, description="Of what.")
    cancel: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="The number of one to take back.",
        json_schema_extra={**TOLD_LATER, **ONLY_BY_NAME},
    )
    offset: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="How many of the list to skip.",
        json_schema_extra={**TOLD_LATER, **ONLY_BY_NAME},
    )


async def run(args: RemindMeArgs, ctx: ToolContext) -> ToolResult:
    """Have it said at its time, where it was asked, to who asked; once, also after restarts.

    Raises InvalidArgumentsError for a time that is none, ToolFailedError for one that is over or
    too far away, where there are too many, for what looks like a secret, and for one to take back
    that there is not.
    """
    if args.cancel is not None:
        return await cancelled(args.cancel, ctx)
    if not args.when:
        return await listed(args.offset, ctx)
    check_discreet(f"{args.when} {args.text}")

    async def meant() -> JSON:
        at, text = _meant(args.when or "", args.text, ctx)
        return {"at": at.isoformat(), "text": text}

    # Done again after a crash, "in 20 minutes" is the same moment, and the same reminder.
    kept = await ctx.step("meant", meant)
    return await _set(datetime.fromisoformat(kept["at"]), kept["text"], ctx)


def _meant(when: str, text: str, ctx: ToolContext) -> tuple[datetime, str]:
    try:
        at, what = when_and_what(when, text, ctx.now(), ctx.zone)
    except (ValueError, OverflowError) as exc:
        said = when if " " in when else f"{when} {text}"
        shown = " ".join(said.replace("`", "'").split())[:_SHOWN]
        raise InvalidArgumentsError(
            f"I do not know when `{shown}` is. Say it like {EXAMPLES}.",
            [f"`when` is a time such as {EXAMPLES}"],
        ) from exc
    if at <= ctx.now():
        raise ToolFailedError(
            f"{moment(at, ctx.zone)} is over: it is {moment(ctx.now(), ctx.zone)}. "
            "Say a later time."
        )
    return at, " ".join(what.split()) or "You wanted to be reminded."


async def _set(at: datetime, text: str, ctx: ToolContext) -> ToolResult:
    notes, asker = reminders_of(ctx), ctx.caller.user_id
    known = await waiting(ctx)
    same = [each for each in known if (each.by, each.at, each.text) == (asker, at, text)]
    if not same:
        check_number(known, asker)
    note = same[0] if same else await notes.add(text, ctx.caller, at)
    if not same or notes.is_by(note, ctx.caller):  # again after a crash: perhaps only half done
        try:
            await ctx.timer(timer_name(note.number), at, f"⏰ {plain_text(text)}")
        except ToolFailedError:
            await notes.drop(note)  # what nobody will say does not wait either
            raise
    return ToolResult(
        data={"reminder": {"number": note.number, "text": text, "at": at.isoformat()}},
        markdown=f"⏰ I remind you {moment(at, ctx.zone)}: {plain_text(text)}",
        note=f"cancel={note.number} takes it back",
    )


TOOL = Tool(
    name="remind_me",
    title="Remind me",
    summary="Reminds the person who asks, or lists reminders.",
    args=RemindMeArgs,
    run=run,
    example="remind me tomorrow 9:00 water the plants",
    timeout=timedelta(seconds=15),
    also_called=("reminder",),
)
