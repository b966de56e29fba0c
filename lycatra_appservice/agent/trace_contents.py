"""What was said to and by a model, as OpenTelemetry wants to have it in a span."""

import json
from collections.abc import Mapping, Sequence
from typing import assert_never

from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Message,
    ModelAnswer,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from lycatra_appservice.agent.tracing import INPUT, INSTRUCTIONS, OUTPUT, Attribute
from lycatra_appservice.model import JSON


def asked(messages: Sequence[Message]) -> Mapping[str, Attribute]:
    """The prompt: the rules, and the rest of the messages."""
    rules = [_text(each.text) for each in messages if isinstance(each, SystemMessage)]
    rest = [_message(each) for each in messages if not isinstance(each, SystemMessage)]
    return {INSTRUCTIONS: _json(rules), INPUT: _json(rest)}


def answered(answer: ModelAnswer) -> Mapping[str, Attribute]:
    """What the model said."""
    said = AssistantMessage(text=answer.text, calls=answer.calls)
    return {OUTPUT: _json([{**_message(said), "finish_reason": answer.finish or ""}])}


def _message(message: Message) -> dict[str, JSON]:
    match message:
        case SystemMessage():
            return {"role": "system", "parts": [_text(message.text)]}
        case UserMessage():
            return {"role": "user", "parts": [_text(message.text)]}
        case AssistantMessage():
            text = [_text(message.text)] if message.text else []
            return {"role": "assistant", "parts": [*text, *map(_call, message.calls)]}
        case ToolMessage():
            part = {"type": "tool_call_response", "id": message.call_id, "response": message.text}
            return {"role": "tool", "parts": [part]}
        case _:
            assert_never(message)


def _text(text: str) -> JSON:
    return {"type": "text", "content": text}


def _call(call: ToolCall) -> JSON:
    return {"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments}


def _json(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False)
