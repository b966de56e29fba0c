"""The account of one turn: who pays for what models read and write for it."""

from collections.abc import Awaitable, Callable

from lycatra_appservice.agent.messages import answer_from_json
from lycatra_appservice.agent.ports import SpentError
from lycatra_appservice.budgets.budgets import Budgets
from lycatra_appservice.budgets.limits import Payer, Refusal
from lycatra_appservice.budgets.store import ChargeKey, Spent
from lycatra_appservice.chat.budget_words import slow_down
from lycatra_appservice.chat.pacing import RefusalObserver
from lycatra_appservice.db.connection import Connection
from lycatra_appservice.model import JSON
from lycatra_appservice.turns.turn import Turn


class Purse:
    """See PursePort."""

    def __init__(
        self, turn: Turn, budgets: Budgets, payer: Payer, observer: RefusalObserver
    ) -> None:
        self._turn = turn
        self._budgets = budgets
        self._payer = payer
        self._observer = observer

    async def left(self) -> float:
        """See PursePort."""
        left = await self._budgets.may_spend(self._payer)
        if isinstance(left, Refusal):
            self._observer.budget_refused(left.kind)
            raise SpentError(f"{left.kind}: {left.limit} are used", slow_down(left))
        return left

    async def step(self, name: str, run: Callable[[], Awaitable[JSON]]) -> JSON:
        """See PursePort."""
        key = ChargeKey(trigger_id=self._turn.trigger_id, run=self._turn.first_n, step=name)

        async def charge(connection: Connection, output: JSON) -> None:
            answer = answer_from_json(output)
            if answer.usage is None:
                return  # replayed from a version that did not count
            spent = Spent(
                model=answer.backend,
                prompt_tokens=answer.usage.prompt,
                completion_tokens=answer.usage.completion,
                is_estimated=answer.usage.estimated,
            )
            await self._budgets.charge(connection, key, self._payer, spent)

        return await self._turn.step(name, run, beside=charge)
