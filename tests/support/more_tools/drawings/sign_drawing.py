"""Takes a secret and gives one, for the tests of where secrets must not appear."""

from pydantic import SecretStr

from lycatra_appservice.toolkit.base import Field, Tool, ToolArgs, ToolContext, ToolResult

SIGNATURE = "canary-of-a-result-9f2c"


class SignDrawingArgs(ToolArgs):
    """Whose signature."""

    name: str = Field(max_length=40, description="Who signs.")
    phrase: SecretStr = Field(max_length=80, description="What only this person knows.")


async def run(args: SignDrawingArgs, ctx: ToolContext) -> ToolResult:
    """The signature."""
    ctx.log.debug("signed", extra={"arguments": args})
    return ToolResult(data={"signature": SIGNATURE}, markdown=f"{args.name}: {SIGNATURE}")


TOOL = Tool(
    name="sign_drawing",
    title="Sign a drawing",
    summary="Signs a drawing with a name and a phrase, to see where secrets do not appear.",
    args=SignDrawingArgs,
    run=run,
    example="sign drawing name=me phrase=mellon",
)
