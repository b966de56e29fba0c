"""The ready-made questions that somebody may ask, and what fits into their gaps."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.foreign_code import foreign_code
from lycatra_appservice.toolkit.arguments import shortened
from lycatra_appservice.toolkit.base import PromptArgument, PromptTemplate
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.toolbox import Toolbox

logger = logging.getLogger(__name__)

_MOST_KNOWN: Final = 12


class ReadyQuestions:
    """None where no model could answer them."""

    def __init__(
        self, registry: Registry, settings: Mapping[str, BaseModel], *, has_model: bool
    ) -> None:
        """`settings` are the checked ones, by namespace."""
        self._registry = registry
        self._settings = settings
        self._has_model = has_model

    def visible(self, toolbox: Toolbox) -> Sequence[PromptTemplate]:
        """Those of namespaces of which the person may use a tool, by name."""
        if not self._has_model:
            return ()
        homes = {self._registry.namespace_of(tool.name).name for tool in toolbox.tools()}
        return [
            prompt
            for prompt in self._registry.prompts
            if self._registry.namespace_of_prompt(prompt.name).name in homes
        ]

    def known(self, prompt: PromptTemplate, argument: PromptArgument) -> Sequence[str]:
        """Values that fit; none where nobody knows."""
        namespace = self._registry.namespace_of_prompt(prompt.name)
        settings = self._settings.get(namespace.name)
        if argument.known is None or settings is None:
            return ()
        here = Path(prompt.name)
        try:
            with foreign_code(here, here):
                found = [shortened(str(value)) for value in argument.known(settings)]
        except LycatraError as error:
            logger.warning(
                "prompt_values_failed", extra={"prompt": prompt.name, "error": str(error)}
            )
            return ()
        return found[:_MOST_KNOWN]


def usage(prompt: PromptTemplate) -> str:
    """`explain service SERVICE [since]`, as a command without its prefix."""
    gaps = [each.name.upper() if each.required else f"[{each.name}]" for each in prompt.arguments]
    return " ".join([prompt.name.replace("_", " "), *gaps])
