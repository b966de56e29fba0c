"""The models that there are, and which of them a question goes to, one after the other."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from lycatra_appservice.agent.asking import Asker, Behalf, Plan, Window
from lycatra_appservice.agent.backend import (
    Backend,
    ContextOverflowError,
    ModelCutError,
    NoLocalModelError,
)
from lycatra_appservice.agent.messages import ModelAnswer
from lycatra_appservice.agent.ports import SlotsPort
from lycatra_appservice.agent.silent_cut import CutWatch
from lycatra_appservice.errors import ModelError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedModel:
    """A model of the configuration. `name` is the operator's for it, not the server's."""

    name: str
    backend: Backend
    window: Window
    watch: CutWatch
    slots: SlotsPort | None = None  # None: as many requests at a time as there are
    is_local: bool = False
    namespaces: frozenset[str] = frozenset()  # whose questions go to it first
    images: bool = False  # whether it can look at pictures, by its configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWish:
    """What a question asks of the model: by the room that it was asked in, and whom.

    A `name` that is not offered any more wishes for nothing. `pictures`: there are some to be
    looked at.
    """

    name: str | None = None
    namespace: str | None = None
    local_only: bool = False
    pictures: bool = False


class FallbackObserver(Protocol):
    """Where it is counted that a model could not do it."""

    def fell_back(self, backend: str) -> None:
        """A request went on to the next model, because this one failed."""


class Models:
    """All models, in the operator's order. Shared by all turns of the process."""

    def __init__(
        self, offered: Sequence[OfferedModel], observer: FallbackObserver | None = None
    ) -> None:
        """`offered` is not empty."""
        self._offered = tuple(offered)
        self._observer = observer

    @classmethod
    def only(cls, backend: Backend, window: Window) -> "Models":
        """A single model, which is called as its section."""
        return cls(
            [OfferedModel(name="model", backend=backend, window=window, watch=CutWatch("model"))]
        )

    def line_up(self, wish: ModelWish) -> Sequence[OfferedModel]:
        """Those that may be asked, the wished one first. Raises NoLocalModelError."""
        usable = [model for model in self._offered if model.is_local or not wish.local_only]
        if not usable:
            raise NoLocalModelError("no model is local")
        return sorted(
            usable,
            key=lambda model: (
                model.name != wish.name,
                wish.pictures and not model.images,
                wish.namespace not in model.namespaces,
            ),
        )

    def can_see(self, wish: ModelWish) -> bool:
        """Whether any of those that may be asked can look at pictures."""
        return any(
            model.images for model in self._offered if model.is_local or not wish.local_only
        )

    def asker(self, wish: ModelWish, behalf: Behalf) -> "FallingBack":
        """Whoever asks on behalf of one turn. Raises NoLocalModelError."""
        return FallingBack(self.line_up(wish), behalf, self._observer)


class FallingBack:
    """Asks one model after the other until one answers; for one turn.

    A model that failed is not asked again in the same turn: the person has waited enough for it.
    What was shown of an answer is never begun anew by another model.
    """

    def __init__(
        self,
        line: Sequence[OfferedModel],
        behalf: Behalf,
        observer: FallbackObserver | None,
    ) -> None:
        self._line = [
            (model, Asker(model.backend, model.window, model.watch, model.slots, behalf))
            for model in line
        ]
        self._observer = observer

    def go_on_with(self, name: str) -> None:
        """Ask the model that has answered before first; a turn that is resumed knows its name."""
        at = next((n for n, (model, _) in enumerate(self._line) if model.name == name), 0)
        self._line = [*self._line[at:], *self._line[:at]]

    async def ask(self, plan: Plan) -> ModelAnswer:
        """See `Asker.ask`. Raises the first model's error if none can do it."""
        first: ModelError | None = None
        while True:
            model, asker = self._line[0]
            try:
                answer = await asker.ask(plan)
            except ModelCutError:
                raise
            except ModelError as failed:
                first = first or failed
                if not self._goes_on_without(model, asker, failed):
                    raise first from failed
            else:
                return replace(answer, backend=model.name)

    def _goes_on_without(self, failed: OfferedModel, asker: Asker, error: ModelError) -> bool:
        rest = self._line[1:]
        if isinstance(error, ContextOverflowError):
            room = asker.window.context_tokens
            rest = [each for each in rest if each[1].window.context_tokens > room]
        if not rest:
            return False
        self._line = rest
        extra = {"backend": failed.name, "next": rest[0][0].name, "error": repr(error)}
        logger.warning("model_fell_back", extra=extra)
        if self._observer is not None:
            self._observer.fell_back(failed.name)
        return True
