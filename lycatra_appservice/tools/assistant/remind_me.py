"""The tool that reminds people, lists their reminders, and takes them back."""

from datetime import timedelta

from lycatra_appservice.toolkit.base import (
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
from lycatra_appservice.tools.assistant._reminders import (
    LONGEST,
    MOST,
    MOST_OF_ALL,
    cancelled,
    listed,
    moment,
    reminders_of,
    timer_name,
    waiting,
)
from lycatra_appservice.tools.assistant._when import EXAMPLES, read_when


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
        json_schema_extra=TOLD_LATER,
    )


async def run(args: RemindMeArgs, ctx: ToolContext) -> ToolResult:
    """Have it said at its time, where it was asked, to who asked; once, also after restarts.

    Raises InvalidArgumentsError for a time that is none, ToolFailedError for one that is over or
    too far away, where there are too many, and for one to take back that there is not.
    """
    if args.cancel is not None:
        return await cancelled(args.cancel, ctx)
    if args.when is None:
        return await listed(ctx)
    return await _set(args.when, args.text or "You wanted to be reminded.", ctx)


async def _set(when: str, text: str, ctx: ToolContext) -> ToolResult:
    try:
        at = read_when(when, ctx.now(), ctx.zone)
    except (ValueError, OverflowError) as exc:
        raise InvalidArgumentsError(
            f"I do not know when `{when.replace('`', chr(39))}` is. Say it like {EXAMPLES}.",
            [f"`when` is a time such as {EXAMPLES}"],
        ) from exc
    if at <= ctx.now():
        raise ToolFailedError(
            f"{moment(at, ctx.zone)} is over: it is {moment(ctx.now(), ctx.zone)}. "
            "Say a later time."
        )
    text = " ".join(text.split())
    known = await waiting(ctx)
    same = [each for each in known if (each.by, each.at, each.text) == (_asker(ctx), at, text)]
    if not same:
        _check_number([each.by for each in known], _asker(ctx))
    note = same[0] if same else await reminders_of(ctx).add(text, _asker(ctx), at)
    try:
        await ctx.timer(timer_name(note.number), at, f"⏰ {plain_text(text)}")
    except ToolFailedError:
        await reminders_of(ctx).drop(note.number)  # what nobody will say does not wait either
        raise
    return ToolResult(
        data={"reminder": {"number": note.number, "text": text, "at": at.isoformat()}},
        markdown=f"⏰ I remind you {moment(at, ctx.zone)}: {plain_text(text)}",
        note=f"cancel={note.number} takes it back",
    )


def _asker(ctx: ToolContext) -> str:
    return ctx.caller.user_id


def _check_number(of_whom: list[str], asker: str) -> None:
    if of_whom.count(asker) >= MOST or len(of_whom) >= MOST_OF_ALL:
        raise ToolFailedError(
            "There are as many reminders waiting here as I keep. `!remind me` lists them, "
            "and `!remind me cancel=1` takes number 1 back."
        )


TOOL = Tool(
    name="remind_me",
    title="Remind me",
    summary="Reminds the person who asks, or lists reminders.",
    args=RemindMeArgs,
    run=run,
    example='remind me when="tomorrow 9:00" text="water the plants"',
    timeout=timedelta(seconds=15),
    also_called=("reminder",),
)
