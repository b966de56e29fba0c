"""A server's question on its way to the person: what may be asked, and what comes back."""

import json
import logging
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import mcp_types as types

from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.questions import Answer, Question, Questions, Reaction
from lycatra_appservice.toolkit.redaction import is_secret
from lycatra_appservice.toolkit.remote.running import RunningCall
from lycatra_appservice.toolkit.remote.schema import (
    UnusableSchemaError,
    plain_line,
    plain_schema,
)

logger = logging.getLogger(__name__)

# For all questions of a call: others in the room may wait for the command to end.
PATIENCE: Final = timedelta(minutes=3)
_LONGEST: Final = 500
_MOST_FIELDS: Final = 10
_MOST_QUESTIONS: Final = 5  # of one call; more is no form but an interrogation
_SECRETS: Final = re.compile(
    r"passwor[dt]|passwd|passphrase|credential|api.?key|secret|token|private.?key|credit.?card|"
    r"\b(?:pin|otp|cvv|cvc|iban|kennwort)\b",
    re.IGNORECASE,
)


def wants_secret(message: str, asked: Mapping[str, Any], form: Mapping[str, JSON]) -> bool:
    """Whether something might be written into a room that belongs nowhere near it.

    A choice or a yes is no secret, whatever the question speaks of. `asked` is the form as it
    came, with its titles; `form` what is made of it.
    """
    fields = form.get("properties", {})
    written = {name for name, field in fields.items() if not _is_choice(field)}
    told = asked.get("properties", {})
    about = [f"{name} {json.dumps(told.get(name), default=str)}" for name in written]
    speaks_of_one = any(_SECRETS.search(each) for each in [message, *about])
    return bool(written) and (speaks_of_one or any(is_secret(each) for each in written))


def _is_choice(field: Mapping[str, JSON]) -> bool:
    if field.get("type") == "boolean" or field.keys() & {"enum", "const"}:
        return True
    branches = field.get("oneOf", field.get("anyOf", ()))
    return bool(branches) and all(_is_choice(branch) for branch in branches)


class Asking:
    """Passes the questions of one server on."""

    def __init__(self, server: str, questions: Questions) -> None:
        self._server = server
        self._questions = questions

    async def ask(
        self, call: RunningCall | None, params: types.ElicitRequestParams
    ) -> types.ElicitResult:
        """The person's answer; a refusal where nobody can or should be asked."""
        question = self._question(call, params)
        if question is None or call is None:
            return types.ElicitResult(action="decline")
        with call.paused() as patience:
            answer = await self._questions.ask(question, call.caller, patience)
        return _result(answer)

    def _question(
        self, call: RunningCall | None, params: types.ElicitRequestParams
    ) -> Question | None:
        why, form = self._objection(call, params)
        if call is None or why is not None:
            logger.info("remote_question_refused", extra={"server": self._server, "reason": why})
            return None
        call.questions += 1
        message = plain_line(params.message, _LONGEST)
        return Question(namespace=self._server, tool=call.tool, message=message, form=form)

    def _objection(
        self, call: RunningCall | None, params: types.ElicitRequestParams
    ) -> tuple[str | None, Mapping[str, Any]]:
        if call is None:
            return "unclear whom", {}
        if call.questions >= _MOST_QUESTIONS or call.patience <= timedelta(0):
            return "too many", {}
        if not isinstance(params, types.ElicitRequestFormParams):
            return "an address to open", {}
        try:
            form = plain_schema(params.requested_schema)
        except UnusableSchemaError as exc:
            return str(exc), {}
        if len(form["properties"]) > _MOST_FIELDS:
            return "too many fields", {}
        is_secret_wanted = wants_secret(params.message, params.requested_schema, form)
        return ("a secret" if is_secret_wanted else None), form


def _result(answer: Answer) -> types.ElicitResult:
    match answer.reaction:
        case Reaction.ACCEPT:
            return types.ElicitResult(action="accept", content=dict(answer.content))
        case Reaction.DECLINE:
            return types.ElicitResult(action="decline")
        case Reaction.CANCEL:
            return types.ElicitResult(action="cancel")
