"""Draws the same small chart each time."""

import base64

from lycatra_appservice.toolkit.base import File, Tool, ToolArgs, ToolContext, ToolResult

# Two black pixels beside each other.
CHART = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAAC0lEQVR4nGNgYAAAAAMAAbitOmMAAAAASUVORK5CYII="
)


class DrawChartArgs(ToolArgs):
    """Nothing to choose."""


async def run(args: DrawChartArgs, ctx: ToolContext) -> ToolResult:
    """A sentence and the chart."""
    chart = File(
        name="../chart.png",
        content_type="image/png",
        data=CHART,
        description="Two points, both black.",
    )
    return ToolResult(data={"points": 2}, markdown="**2 points**", files=(chart,))


TOOL = Tool(
    name="draw_chart",
    title="Draw a chart",
    summary="Draws a chart of two points, to see how a picture goes out with an answer.",
    args=DrawChartArgs,
    run=run,
    example="draw chart",
)
