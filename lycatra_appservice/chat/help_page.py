"""What `!help` says: to this person, in this room. It only asks the gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.commands import (
    CommandWords,
    ReadyQuestion,
    UnclearQuestion,
    UnknownCommand,
)
from lycatra_appservice.chat.control import ControlWord
from lycatra_appservice.chat.ready_questions import ReadyQuestions, usage
from lycatra_appservice.chat.telling import telling_rank
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Caller, Face, UserID
from lycatra_appservice.toolkit.arguments import likely, shortened
from lycatra_appservice.toolkit.base import Effect, Namespace, PromptTemplate, first_sentence
from lycatra_appservice.toolkit.registry import AnyTool, Registry
from lycatra_appservice.toolkit.toolbox import Gate, Toolbox
from lycatra_appservice.words.text import Said

_MOST_TOPICS: Final = 6  # with the lines around them ten lines, which a phone shows
_MOST_QUESTIONS: Final = 4
_ITSELF: Final = "help"  # the tool that tells models and MCP clients the same
_MARKS: Final = "`'\"?!/. "


@dataclass(frozen=True, slots=True)
class _Topic:
    """A namespace with those of its tools that the person may use."""

    namespace: Namespace
    tools: Sequence[AnyTool]
    prompts: Sequence[PromptTemplate] = ()

    @property
    def example(self) -> str:
        """A command to begin with: one that only looks."""
        looking = [tool for tool in self.tools if tool.effect is Effect.READ]
        best = min(looking or self.tools, key=lambda tool: telling_rank(tool, self.namespace.name))
        return best.example


class HelpPage:
    """Shows nobody what he may not do."""

    def __init__(
        self,
        gate: Gate,
        registry: Registry,
        users: VirtualUsers,
        commands: CommandWords,
        questions: ReadyQuestions,
        *,
        has_model: bool,
    ) -> None:
        self._questions = questions
        self._gate = gate
        self._registry = registry
        self._users = users
        self._commands = commands
        self._has_model = has_model

    async def show(self, asker: UserID, speaker: UserID, room: RoomView, words: str) -> Said:
        """The whole sheet, or what the words name: a namespace, a tool, a control word."""
        caller = Caller(user_id=asker, face=Face.COMMAND, room_id=room.room_id)
        toolbox = await self._gate.open(caller)
        topics, words = self._topics(toolbox), words.strip(_MARKS)
        return self._about(words, topics) if words else self._sheet(topics, speaker, room)

    def _topics(self, toolbox: Toolbox) -> Sequence[_Topic]:
        prompts = self._questions.visible(toolbox)
        tools = [tool for tool in toolbox.tools() if tool.name != _ITSELF]
        tools.sort(key=lambda tool: (self._home(tool).name, tool.name))
        grouped = groupby(tools, key=lambda tool: self._home(tool).name)
        return [
            _Topic(
                self._home(found[0]),
                found,
                [
                    prompt
                    for prompt in prompts
                    if self._registry.namespace_of_prompt(prompt.name) is self._home(found[0])
                ],
            )
            for found in (list(members) for _, members in grouped)
        ]

    def _home(self, tool: AnyTool) -> Namespace:
        return self._registry.namespace_of(tool.name)

    def _sheet(self, topics: Sequence[_Topic], speaker: UserID, room: RoomView) -> Said:
        how = messages.how_to_ask(
            self._users.display_name(speaker),
            has_model=self._has_model,
            is_direct=room.is_direct,
            is_wide=room.is_wide,
        )
        shown = topics if len(topics) <= _MOST_TOPICS else topics[: _MOST_TOPICS - 1]
        lines: list[Said] = [
            messages.help_topic(each.namespace.name, each.example, each.namespace.summary)
            for each in shown
        ]
        left_out = [each.namespace.name for each in topics[len(shown) :]]
        if left_out:
            lines.append(messages.help_more_topics(left_out))
        asked = [usage(prompt) for topic in topics for prompt in topic.prompts]
        if asked:
            lines.append(messages.help_questions(asked[:_MOST_QUESTIONS]))
        example = topics[0].namespace.name if topics else str(ControlWord.SETTINGS)
        control = messages.help_control(example, has_model=self._has_model)
        return messages.help_sheet(how, lines, control)

    def _about(self, words: str, topics: Sequence[_Topic]) -> Said:
        spelled = words.casefold()
        for topic in topics:
            names = {topic.namespace.name, topic.namespace.display_name.casefold()}
            if spelled in names:
                return _namespace_page(topic)
        if spelled in set(ControlWord):
            return messages.help_on(spelled)
        by_name = {tool.name: tool for topic in topics for tool in topic.tools}
        tool = by_name.get(self._tool_named(words))
        if tool is not None:
            return _tool_page(tool)
        prompts = {prompt.name: prompt for topic in topics for prompt in topic.prompts}
        prompt = prompts.get(self._tool_named(words))
        if prompt is not None:
            return self._prompt_page(prompt)
        known = [*by_name, *prompts, *(topic.namespace.name for topic in topics), *ControlWord]
        meant = likely("_".join(spelled.split()), known)
        return messages.help_unknown(shortened(words), meant)

    def _tool_named(self, words: str) -> str:
        parsed = self._commands.parse(words)
        match parsed:
            case UnknownCommand():
                return "_".join(words.casefold().split())
            case ReadyQuestion() | UnclearQuestion():
                return parsed.prompt.name
            case _:
                return parsed.tool

    def _prompt_page(self, prompt: PromptTemplate) -> Said:
        arguments = [
            messages.help_argument(
                each.name.upper() if each.required else f"[{each.name}]",
                each.description,
                self._questions.known(prompt, each),
            )
            for each in prompt.arguments
        ]
        return messages.help_question(prompt.title, prompt.summary, arguments, usage(prompt))


def _namespace_page(topic: _Topic) -> Said:
    home = topic.namespace
    tools = [
        f"- `!{' '.join([tool.name.replace('_', ' '), *_argument_names(tool)])}`: "
        f"{first_sentence(tool.summary)}"
        for tool in topic.tools
    ]
    asked = [f"- `!{usage(prompt)}`: {first_sentence(prompt.summary)}" for prompt in topic.prompts]
    return messages.help_namespace(
        home.display_name, home.summary, [*tools, *asked], topic.tools[0].name
    )


def _tool_page(tool: AnyTool) -> Said:
    fields: Mapping[str, JSON] = tool.schema()["properties"]
    arguments = [
        f"- `{name}`{_limits(fields[key])}: {fields[key].get('description', '')}"
        for key, name in zip(fields, _argument_names(tool), strict=True)
    ]
    return messages.help_tool(tool.title, tool.summary, arguments, tool.example)


def _argument_names(tool: AnyTool) -> Sequence[str]:
    """`name` of what has to be given, `[name]` of what may be, `[name=7]` with its default."""
    schema = tool.schema()
    required = schema.get("required", ())
    return [
        name if name in required else f"[{name}{_default(field)}]"
        for name, field in schema["properties"].items()
    ]


def _default(field: Mapping[str, JSON]) -> str:
    default = field.get("default")
    return "" if default in (None, "") else f"={default}"


def _limits(field: Mapping[str, JSON]) -> str:
    if "enum" in field:
        return f" ({', '.join(map(str, field['enum']))})"
    if "minimum" in field and "maximum" in field:
        return f" ({field['minimum']} to {field['maximum']})"
    return ""
