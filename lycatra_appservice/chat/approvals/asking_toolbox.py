"""The gate as the agent has it: a call that changes something is put to people first."""

from collections.abc import Mapping, Sequence

from lycatra_appservice.chat.approvals.desk import ApprovalDesk
from lycatra_appservice.chat.approvals.occasion import Occasion
from lycatra_appservice.chat.approvals.settling import Settling
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.approvals import NeedsApprovalError
from lycatra_appservice.toolkit.base import Namespace, ToolResult
from lycatra_appservice.toolkit.registry import AnyTool
from lycatra_appservice.toolkit.toolbox import Toolbox
from lycatra_appservice.turns.call_steps import ReadingSteps
from lycatra_appservice.words.text import Said


class AskingToolbox:
    """Cheap: opened for one turn. Nothing that a model can write is an approval."""

    def __init__(
        self,
        toolbox: Toolbox,
        occasion: Occasion,
        desk: ApprovalDesk,
        settling: Settling,
        news: Said | None = None,
    ) -> None:
        """`news` stand above what people are asked."""
        self._toolbox = toolbox
        self._occasion = occasion
        self._desk = desk
        self._settling = settling
        self._news = news

    def tools(self) -> Sequence[AnyTool]:
        """The tools that the asker may use."""
        return self._toolbox.tools()

    def namespace_of(self, tool_name: str) -> Namespace:
        """Where one of them lives."""
        return self._toolbox.namespace_of(tool_name)

    async def call(self, name: str, raw_args: Mapping[str, JSON], *, key: str) -> ToolResult:
        """Run a tool. A change ends this run of the turn, which goes on when it is decided."""
        approval = self._occasion.turn.approval(key)
        if approval is not None:
            return await self._settling.settle(self._occasion.turn, approval, self._toolbox)
        work = self._toolbox.background_of(name, raw_args)
        if work is not None:
            await self._occasion.turn.go_on_in_background(self._occasion.room.room_id, work)
        try:
            steps = ReadingSteps(self._occasion.turn, key)
            return await self._toolbox.call(name, raw_args, steps=steps)
        except NeedsApprovalError as needed:
            await self._desk.ask(self._occasion, key, needed, news=self._news)
