"""The arguments of a tool that is configured, as the class that checks them."""

from typing import Annotated, Any, Literal

from pydantic import create_model

from lycatra_appservice.settings_http_json import PAGE, HttpJsonArgument, HttpJsonTool
from lycatra_appservice.toolkit.base import TOLD_LATER, Field, ToolArgs

MOST_PAGES = 1000


def arguments_of(tool: HttpJsonTool) -> type[ToolArgs]:
    """Those that are configured, and `page`, of which a result tells when there is another one."""
    fields: dict[str, Any] = {each.name: _field(each) for each in tool.arguments}
    fields[PAGE] = (
        int,
        Field(
            default=1,
            ge=1,
            le=MOST_PAGES,
            description="Which page, from 1.",
            json_schema_extra=TOLD_LATER,
        ),
    )
    name = "".join(part.title() for part in tool.name.split("_"))
    return create_model(f"{name}Args", __base__=ToolArgs, **fields)


def _field(argument: HttpJsonArgument) -> tuple[Any, Any]:
    kind: Any
    match argument.kind:
        case "text":
            kind = Annotated[str, Field(max_length=argument.max_length)]
        case "number":
            kind = Annotated[int, Field(ge=argument.least, le=argument.most)]
        case "choice":
            kind = Literal[argument.choices]
        case "yes_no":
            kind = bool
    if argument.optional:
        return kind | None, Field(default=None, description=argument.description)
    if argument.default is not None:
        return kind, Field(default=argument.default, description=argument.description)
    return kind, Field(description=argument.description)
