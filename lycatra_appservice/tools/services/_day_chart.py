"""A picture of a service's last day, where the extra `charts` is installed."""

from collections.abc import Sequence

from lycatra_appservice.toolkit.base import File, ToolContext
from lycatra_appservice.tools._charts import Chart, Line, picture
from lycatra_appservice.tools.services._day_figures import day_figures
from lycatra_appservice.tools.services._history import History


async def day_chart(service: str, history: History, ctx: ToolContext) -> Sequence[File]:
    """One file, or none where there is nothing to see or nothing to draw it with."""
    figures = day_figures(history, ctx.now())
    if not figures.are_enough:
        return ()
    chart = Chart(
        title=f"{service}: slowest answer{', red: down' if figures.down else ''}",
        unit="s",
        zone=ctx.zone,
        lines=[Line(name="", points=figures.slowest_s)],
        faults=figures.down,
    )
    drawn = await picture(chart, "last-day.png")
    return [drawn] if drawn is not None else ()
