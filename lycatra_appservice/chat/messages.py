"""The chat's fixed texts by name, each with what is filled in; the words are in the catalogue."""

from collections.abc import Sequence
from datetime import timedelta

from lycatra_appservice.agent.messages import SmallerWindow
from lycatra_appservice.model import Level, RoomID, UserID
from lycatra_appservice.toolkit.arguments import shortened
from lycatra_appservice.words.spans import at_least, roughly
from lycatra_appservice.words.text import Said, Text


def unknown_command(words: str, suggestions: Sequence[str]) -> Text:
    """For a command that is no tool."""
    if not suggestions:
        return Text("unknown_command", words=words)
    meant: Said = f"`!{suggestions[-1]}`"
    for suggestion in reversed(suggestions[:-1]):
        meant = Text("or", first=f"`!{suggestion}`", second=meant)
    return Text("unknown_command_near", words=words, meant=meant)


def unclear_arguments(problem: Said, example: str) -> Text:
    """For a known tool with words that cannot be its arguments."""
    return Text("unclear_arguments", problem=problem, example=example)


def with_note(found: Said, note: Said) -> Text:
    """For what a tool found, when it also says what is missing."""
    return Text("with_note", said=found, note=note)


def progress(said: Said) -> Text:
    """What a slow tool is doing."""
    return Text("progress", said=said)


def progress_finished() -> Text:
    """In its place when that call has ended, however."""
    return Text("progress_finished")


def progress_stopped() -> Text:
    """In its place when somebody stopped it, or asked anew."""
    return Text("progress_stopped")


def progress_broken_off() -> Text:
    """In its place when it was given up."""
    return Text("progress_broken_off")


def draft_uses(titles: Sequence[str]) -> Text:
    """Which tools are at work for an answer."""
    return Text("draft_uses", tools=", ".join(titles))


def draft_at_work() -> Text:
    """Something is done for an answer that is not everybody's business."""
    return Text("draft_at_work")


def draft_ahead(ahead: int) -> Text:
    """How many questions a model answers before this one."""
    return Text("draft_ahead", n=ahead) if ahead > 0 else Text("draft_next")


def draft_interrupted() -> Text:
    """An answer was broken off, and is made again."""
    return Text("draft_interrupted")


def draft_waits_for_people() -> Text:
    """An answer goes on when people have decided, and below their card."""
    return Text("draft_waits_for_people")


def after_words(words: Said, why: Said) -> Text:
    """Why an answer has no end, of which people have read the beginning."""
    return Text("after_words", said=words, why=why)


def draft_stopped() -> Text:
    """Nothing more comes, because somebody wanted it so."""
    return progress_stopped()


def draft_broken_off() -> Text:
    """Nothing more comes; why not is said in another message."""
    return progress_broken_off()


def draft_answered_below() -> Text:
    """The answer could not take the draft's place."""
    return Text("draft_answered_below")


def late(said: Said, by: timedelta) -> Text:
    """What was to be said earlier."""
    return Text("late", said=said, span=roughly(by))


def no_model() -> Text:
    """For a question where no language model is configured."""
    return Text("no_model")


def may_not_ask() -> Text:
    """For a question of a person without rights."""
    return Text("may_not_ask")


def took_too_long(patience: timedelta) -> Text:
    """For a question whose answer was not ready in time."""
    return Text("took_too_long", span=roughly(patience))


def was_reset() -> Text:
    """After `!reset`."""
    return Text("was_reset")


def too_old(age: timedelta) -> Text:
    """For a room where something was asked while we could not answer."""
    return Text("too_old", age=roughly(age))


def failed(sentence: Said) -> Text:
    """For a turn that ended without an answer."""
    return Text("failed", sentence=sentence)


def model_down(why: Said, examples: Sequence[str]) -> Said:
    """For the first question of a room that no model answers, with commands that still work."""
    if not examples:
        return why
    return Text("model_down", why=why, commands=", ".join(f"`!{each}`" for each in examples))


def model_still_down() -> Text:
    """For further ones, while that lasts."""
    return Text("model_still_down")


def model_failed_after_change(why: Said, tools: Sequence[str]) -> Text:
    """For a model that failed after something approved was carried out."""
    names = ", ".join(f"`{tool.replace('_', ' ')}`" for tool in tools)
    return Text("model_failed_after_change", why=why, tools=names)


def facts_without_model(command: str, facts: Said) -> Text:
    """What a command finds, in place of an answer by a model."""
    return Text("facts_without_model", command=command, facts=facts)


def refused_invitation() -> Text:
    """The reason for leaving a room to which somebody invited us who may not."""
    return Text("refused_invitation")


def technical_user(main: UserID) -> Text:
    """The reason for leaving a room to which the technical user was invited."""
    return Text("technical_user", main=main)


def no_spaces(main: UserID) -> Text:
    """For whoever invited us into a space; also the reason for leaving one."""
    return Text("no_spaces", main=main)


def invited_too_often(wait: timedelta) -> Text:
    """The reason for leaving, when one person has invited us too often."""
    return Text("invited_too_often", wait=at_least(wait))


def server_invites_too_often(wait: timedelta) -> Text:
    """The reason for leaving, when the people of one homeserver have."""
    return Text("server_invites_too_often", wait=at_least(wait))


def came_too_often(wait: timedelta) -> Text:
    """The reason for leaving, when we were invited into one room again and again."""
    return Text("came_too_often", wait=at_least(wait))


def could_not_join() -> Text:
    """The reason for refusing an invitation that could not be followed."""
    return Text("could_not_join")


def left_with_main(main: UserID) -> Text:
    """The reason why virtual users leave a room that @lycatra was sent away from."""
    return Text("left_with_main", main=main)


def left_without_tools(main: UserID) -> Text:
    """The reason why a virtual user leaves when its namespace is gone."""
    return Text("left_without_tools", main=main)


def tool_gone(tool: str) -> Text:
    """The answer to a request whose tool was taken away while it waited."""
    return Text("tool_gone", tool=tool)


def no_successor(old: RoomID) -> Text:
    """The reason for leaving a room that a tombstone named, wrongly."""
    return Text("no_successor", old=old)


def room_has_moved(successor: RoomID) -> Text:
    """For somebody who still asks in a room that was upgraded."""
    return Text("room_has_moved", successor=f"https://matrix.to/#/{successor}")


def in_the_name_of(display_name: str, said: Said) -> Text:
    """For an answer that @lycatra gives for a virtual user that is not in the room."""
    return Text("in_the_name_of", name=display_name, said=said)


def help_sheet(how: Said, topics: Sequence[Said], control: Said) -> Text:
    """For `!help`; `topics` are a line each."""
    if not topics:
        return Text("help_without_topics", how=how, control=control)
    return Text("help_sheet", how=how, topics=topics, control=control)


def how_to_ask(name: str, *, has_model: bool, is_direct: bool, is_wide: bool) -> Text:
    """The first line of `!help`; `name` is whom to address."""
    if not has_model:
        return Text("help_no_model")
    if is_direct:
        return Text("help_direct")
    return Text("help_wide" if is_wide else "help_room", name=name)


def help_topic(topic: str, example: str, summary: str) -> Text:
    """A line of `!help` for a namespace."""
    return Text("help_topic", topic=topic, example=example, summary=summary)


def help_more_topics(topics: Sequence[str]) -> Text:
    """The line of `!help` for the namespaces that have none of their own."""
    return Text("help_more_topics", topics=", ".join(f"`!help {each}`" for each in topics))


def help_control(topic: str, *, has_model: bool) -> Text:
    """The last line of `!help`; `topic` is an example."""
    return Text("help_control" if has_model else "help_control_no_model", topic=topic)


def help_on(word: str) -> Text:
    """For `!help stop` and the like; `word` is a control word."""
    return Text(f"help_on_{word}")


def help_namespace(name: str, summary: str, tools: Sequence[str], tool: str) -> Text:
    """For `!help updates`; `tool` is one of its tools, as an example."""
    return Text("help_namespace", name=name, summary=summary, tools=tools, tool=tool)


def help_tool(title: str, summary: str, arguments: Sequence[str], example: str) -> Text:
    """For `!help list_updates`."""
    if not arguments:
        return Text("help_tool_alone", title=title, summary=summary, example=example)
    return Text("help_tool", title=title, summary=summary, arguments=arguments, example=example)


def help_unknown(words: str, meant: str | None) -> Text:
    """For `!help` with words that name nothing."""
    if meant is None:
        return Text("help_unknown", words=words)
    return Text("help_unknown_near", words=words, meant=meant)


def settings_shown(settings: Sequence[Said], example: str, name: str) -> Text:
    """For `!settings`; `example` changes something, `name` is a setting."""
    return Text("settings_shown", settings=settings, example=example, name=name)


def setting_line(name: str, value: str, whence: Said, values: Sequence[str] | Text) -> Text:
    """A line of `!settings`."""
    possible = values if isinstance(values, Text) else ", ".join(values)
    return Text("setting_line", name=name, value=value, whence=whence, values=possible)


def setting_own_text(max_chars: int) -> Text:
    """What can be chosen, where it is a text of the room's own."""
    return Text("setting_own_text", most=max_chars)


def setting_text_explained(name: str, text: str, whence: Said, max_chars: int) -> Text:
    """For `!settings prompt`, with the whole text."""
    about = Text(f"about_{name}", most=max_chars)
    if not text:
        return Text("setting_text_none", name=name, about=about)
    shown = text.replace("`", "'")
    return Text("setting_text_explained", name=name, text=shown, whence=whence, about=about)


def setting_too_long(name: str, chars: int, max_chars: int) -> Text:
    """For a text of a room's own that is too long."""
    return Text("setting_too_long", name=name, chars=chars, most=max_chars)


def setting_whence(*, chosen: bool, configured: bool) -> Text:
    """Who decided about a setting."""
    if chosen:
        return Text("setting_chosen")
    return Text("setting_configured" if configured else "setting_default")


def setting_explained(
    name: str, value: str, whence: Said, values: Sequence[str], example: str
) -> Text:
    """For `!settings reply`."""
    return Text(
        "setting_explained",
        name=name,
        value=value,
        whence=whence,
        about=Text(f"about_{name}"),
        values=_codes(values),
        example=example,
    )


def setting_changed(name: str, value: str, *, taken_back: bool) -> Text:
    """After a change; `value` is what holds now."""
    return Text("setting_taken_back" if taken_back else "setting_changed", name=name, value=value)


def setting_unknown(word: str, meant: str | None, names: Sequence[str]) -> Text:
    """For `!settings` with a name that is none."""
    if meant is None:
        return Text("setting_unknown", word=word, names=_codes(names))
    return Text("setting_unknown_near", word=word, meant=meant, names=_codes(names))


def setting_value_unknown(name: str, word: str, meant: str | None, values: Sequence[str]) -> Text:
    """For `!settings` with a value that cannot be."""
    if meant is None:
        return Text("setting_value_unknown", name=name, word=word, values=_codes(values))
    return Text(
        "setting_value_unknown_near", name=name, word=word, meant=meant, values=_codes(values)
    )


def settings_refused(people: Sequence[str]) -> Text:
    """For somebody who may not change settings; `people` are some who may, by name."""
    if not people:
        return Text("settings_refused_by_all")
    asked: Said = f"`{people[-1]}`"
    for person in reversed(people[:-1]):
        asked = Text("or", first=f"`{person}`", second=asked)
    return Text("settings_refused", people=asked)


def e2ee_off() -> Text:
    """For `!e2ee` where encrypted rooms are not read."""
    return Text("e2ee_off")


def e2ee(*, encrypted: bool, device: Text | None, waiting: int) -> Text:
    """For `!e2ee`."""
    lines = [Text("e2ee_room" if encrypted else "e2ee_room_clear")]
    lines.append(Text("e2ee_no_device") if device is None else device)
    if waiting:
        lines.append(Text("e2ee_waiting", count=waiting))
    return Text("lines", lines=lines)


def e2ee_device(user_id: UserID, device_id: str, fingerprint: str, *, signed: bool) -> Text:
    """For `!e2ee`: by which device somebody of us is known."""
    return Text(
        "e2ee_device" if signed else "e2ee_device_unsigned",
        user_id=user_id,
        device_id=device_id,
        fingerprint=fingerprint,
    )


def whoami(
    user_id: UserID, level: Level, whence: Said, power: Said, exceptions: Sequence[Said]
) -> Text:
    """For `!whoami`; `exceptions` are a line each, about what the level alone does not tell."""
    said = Text(
        "whoami",
        user_id=user_id,
        level=level.name.lower(),
        whence=whence,
        may=Text(f"rights_of_{level.name.lower()}"),
        power=power,
    )
    return Text("lines", lines=[said, *exceptions]) if exceptions else said


def whoami_out_of_reach(tools: Sequence[str], level: Level) -> Text:
    """A line on tools that need a higher level."""
    return Text("whoami_out_of_reach", tools=", ".join(tools), level=level.name.lower())


def whoami_rule(tools: Sequence[str], rule: int, level: Level, *, allowed: bool) -> Text:
    """A line on tools for which a rule asks for a level."""
    if allowed:
        return Text("whoami_rule_may", tools=", ".join(tools), rule=rule, level=level.name.lower())
    return Text("whoami_rule_may_not", tools=", ".join(tools), rule=rule, level=level.name.lower())


def whoami_listed(tools: Sequence[str], rule: int, entry: str | None) -> Text:
    """A line on tools for which a rule lists people; `entry` is the one that fits."""
    if entry is None:
        return Text("whoami_not_in_rule", tools=", ".join(tools), rule=rule)
    return Text("whoami_in_rule", tools=", ".join(tools), rule=rule, entry=entry)


def answered_directly() -> Text:
    """In a room, for an answer that only the asker may read."""
    return Text("answered_directly")


def cannot_answer_directly() -> Text:
    """The same, when there is no way to tell the asker alone."""
    return Text("cannot_answer_directly")


def whoami_whence(grant: tuple[str, str] | None) -> Text:
    """The section and entry of `access` that decided about somebody."""
    if grant is None:
        return Text("whoami_not_listed")
    section, entry = grant
    return Text("whoami_granted", section=section, entry=entry)


def whoami_power(power: int | None, *, may_set: bool) -> Text:
    """Somebody's power level; None for a creator who stands above all of them."""
    if power is None:
        return Text("whoami_creator" if may_set else "whoami_creator_alone")
    return Text("whoami_power_may_set" if may_set else "whoami_power", power=power)


def _codes(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def in_a_file(*, name: str, lines: int, size: str, beginning: str) -> Text:
    """In the place of a text that is too long for a chat; `size` has its unit."""
    return Text("in_a_file", name=name, lines=lines, size=size, beginning=beginning)


def file_not_uploaded(name: str) -> Text:
    """In the place of a file that the homeserver did not take."""
    return Text("file_not_uploaded", name=name)


def emoji_seen(emoji: Sequence[str]) -> Text:
    """In the room of a verification: what its other side should see, too."""
    return Text("emoji_seen", emoji=" · ".join(emoji))


def unreadable() -> Text:
    """To whoever wrote what cannot be decrypted here."""
    return Text("unreadable")


def direct_chat(*, opened: bool) -> Text:
    """The first line in the direct chat of somebody who tried an encrypted room."""
    return Text("direct_opened" if opened else "direct_known")


def who_i_am(name: str, *, is_direct: bool, summary: str | None = None) -> Text:
    """The first line of the welcome; `summary` is of the virtual user who was invited alone."""
    if summary is not None:
        return Text(
            "welcome_virtual_direct" if is_direct else "welcome_virtual",
            name=name,
            summary=summary,
        )
    return Text("welcome_direct" if is_direct else "welcome_group", name=name)


def welcome_examples(examples: Sequence[tuple[str, str]]) -> Text:
    """The line of examples: each a key to react with, and what it stands for as Markdown."""
    shown = " · ".join(f"{key} {example}" for key, example in examples)
    return Text("welcome_examples", examples=shown)


def example_question(namespace: str | None) -> Text:
    """A question that a person might ask, about what a namespace knows."""
    known = namespace in ("updates", "services")
    return Text(f"question_{namespace}" if known else "question_any")


def questions_go_to(service: str | None, host: str) -> Text:
    """Where questions leave to; `service` is the name of a known cloud service."""
    if service is None:
        return Text("questions_to_host", host=host)
    return Text("questions_to_cloud", service=service, host=host)


def questions_stay_near(host: str) -> Text:
    """For a model on another machine of the own network."""
    return Text("questions_stay_near", host=host)


def questions_stay_here() -> Text:
    """For a model on the same machine."""
    return Text("questions_stay_here")


def questions_then(where: Said, following: Said) -> Text:
    """Where questions go when that fails; `following` is a model by its place."""
    return Text("questions_then", where=where, next=following)


def model_by_place(service: str | None, host: str | None, *, near: bool) -> Text:
    """A model in the middle of a sentence; without a host it is on the same machine."""
    if host is None:
        return Text("model_here")
    if service is not None:
        return Text("model_of_cloud", service=service, host=host)
    return Text("model_near" if near else "model_at_host", host=host)


def questions_unanswered() -> Text:
    """For no model at all."""
    return Text("questions_unanswered")


def unseen(msgtype: str) -> Text:
    """For a picture, file or the like without words."""
    return Text(f"unseen_{msgtype.removeprefix('m.')}")


def unclear_question(problem: Said, usage: str, known: Sequence[str]) -> Text:
    """For a ready-made question that cannot be asked so."""
    if known:
        return Text("unclear_question_known", problem=problem, usage=usage, known=_codes(known))
    return Text("unclear_question", problem=problem, usage=usage)


def help_questions(usages: Sequence[str]) -> Text:
    """A line of `!help`: the ready-made questions."""
    return Text("help_questions", questions=_codes([f"!{usage}" for usage in usages]))


def help_argument(name: str, description: str, known: Sequence[str]) -> Text:
    """A line of the page about a ready-made question."""
    if known:
        return Text("help_argument_known", name=name, about=description, known=_codes(known))
    return Text("help_argument", name=name, about=description)


def help_question(title: str, summary: str, arguments: Sequence[Said], usage: str) -> Text:
    """For `!help` with the name of a ready-made question."""
    if not arguments:
        return Text("help_question_plain", title=title, summary=summary, usage=usage)
    return Text("help_question", title=title, summary=summary, arguments=arguments, usage=usage)


def what_about_it(*, is_picture: bool) -> Text:
    """For a picture or text file that came without words."""
    return Text("what_about_picture" if is_picture else "what_about_file")


def not_seen(reason: str, name: str) -> Text:
    """Why something is not looked at, and what to do instead."""
    return Text(f"not_seen_{reason}", name=shortened(name))


def with_unseen(said: Said, unseen: Sequence[tuple[str, str]]) -> Text:
    """An answer, and below it what was not looked at: why, and its name."""
    lines = [not_seen(reason, name) for reason, name in unseen]
    return Text("with_unseen", said=said, lines=lines)


def with_forgotten(said: Said) -> Text:
    """For an answer before which the beginning of the conversation was left out."""
    return Text("with_forgotten", said=said)


def with_thread_hint(said: Said) -> Text:
    """For the first answer that began a thread with somebody."""
    return Text("thread_hint", said=said)


def with_word_to_admin(said: Said, word: Text) -> Text:
    """For an answer to an admin, who has something to change."""
    return Text("word_to_admin", said=said, word=word)


def window_is_smaller(window: SmallerWindow) -> Text:
    """For the admin of a model that reads less than its configuration says."""
    return Text(
        "window_is_smaller",
        key=window.key,
        configured=window.configured,
        real=window.real,
        line=f"{window.key}.context_window: {window.real}",
    )


def greeting(name: str, where: Said, *, has_model: bool) -> Text:
    """For whoever has just set us up; `where` says where questions go."""
    third = Text("greeting_question" if has_model else "greeting_command")
    return Text("greeting", name=name, third=third, where=where)


def edited_after_answer() -> Text:
    """For an edit that comes after the answer."""
    return Text("edited_after_answer")


def edited_after_start() -> Text:
    """For an edit of what has begun to change something."""
    return Text("edited_after_start")


def stopped(requests: int, *, of_all: bool) -> Text:
    """After `!stop`; `of_all` for who may stop what others asked, too."""
    if requests > 1:
        return Text("stopped_several", n=requests)
    if requests == 1:
        return Text("stopped_one")
    return Text("nothing_to_stop" if of_all else "nothing_of_yours_to_stop")


def goes_on(stopped: Text | None = None) -> Text:
    """For who stops a change that has begun; `stopped` tells of what else has ended."""
    return Text("stopped_but_one", said=stopped) if stopped else Text("change_goes_on")


def removed_after_start() -> Text:
    """For who has removed a request while its change is being made."""
    return Text("removed_after_start")


def question_redacted() -> Text:
    """The reason for redacting an answer."""
    return Text("question_redacted")


def audit_table(rows: Sequence[Said], zone: str, *, is_direct: bool) -> Text:
    """For `!audit`; `rows` are of a Markdown table, the newest first."""
    return Text("audit_table", rows=rows, zone=zone, scope=_scope(is_direct=is_direct))


def audit_row(at: str, person: UserID, call: str, came_of: Said) -> Text:
    """A row of `!audit`."""
    return Text("audit_row", at=at, person=person, call=call, came_of=came_of)


def audit_story(
    person: UserID, at: str, zone: str, lines: Sequence[Said], *, is_direct: bool
) -> Text:
    """For `!audit last`; `lines` are the oldest first."""
    scope = _scope(is_direct=is_direct)
    return Text("audit_story", person=person, at=at, zone=zone, lines=lines, scope=scope)


def audit_line(at: str, call: str, came_of: Said) -> Text:
    """A line of `!audit last`."""
    return Text("audit_line", at=at, call=call, came_of=came_of)


def audit_outcome(key: str) -> Text:
    """What came of a call, by the audit's own word for it."""
    return Text(f"audit_as_{key}")


def audit_decided(key: str, people: Sequence[UserID]) -> Text:
    """What people have decided about a call."""
    return Text(f"audit_by_{key}", people=_codes(people))


def audit_done(seconds: float) -> Text:
    """A call that gave a result."""
    return Text("audit_done", seconds=f"{seconds:.1f}" if seconds >= 1 else f"{seconds:.2f}")


def audit_crashed(reference: str) -> Text:
    """A call that failed by a mistake of the tool; `reference` is in the log."""
    return Text("audit_crashed", reference=reference)


def audit_nothing() -> Text:
    """For `!audit`, when there is nothing of the kind."""
    return Text("audit_nothing")


def audit_of_others() -> Text:
    """For somebody who wants to see what was done for others, and is no admin."""
    return Text("audit_of_others")


def _scope(*, is_direct: bool) -> Text:
    return Text("audit_everywhere" if is_direct else "audit_of_room")


def sources(question: str, results: Sequence[Said], zone: str) -> Text:
    """What an answer rests on."""
    return Text("sources", question=question, results=results, zone=zone)


def source(call: str, at: str, result: str) -> Text:
    """One result, as a block of code."""
    return Text("source", call=call, at=at, result=result)


def source_refused(why: Said) -> Text:
    """In the place of a result that the reader may not see."""
    return Text("source_refused", why=why)


def source_unknown() -> Text:
    """In the place of a result of a tool that is not there, or not for everybody."""
    return Text("source_unknown")


def source_private() -> Text:
    """In the place of a result that only the asker may read, alone with us."""
    return Text("source_private")


def sources_raw(calls: Sequence[Said], zone: str) -> Text:
    """For an answer that is a result itself."""
    return Text("sources_raw", calls=calls, zone=zone)


def source_raw(call: str, at: str) -> Text:
    """A line of it."""
    return Text("source_raw", call=call, at=at)


def sources_none() -> Text:
    """For a message behind which no tool stands."""
    return Text("sources_none")


def sources_gone() -> Text:
    """For an answer whose results are no longer kept."""
    return Text("sources_gone")


def sources_which() -> Text:
    """For `!sources` where there is no answer that could be meant."""
    return Text("sources_which")


def question_asked(
    code: str,
    server: str,
    tool: str,
    message: str,
    fields: Said,
    example: str,
    patience: timedelta,
) -> Text:
    """A server wants to know something; `message` is its own."""
    return Text(
        "question_asked",
        code=code,
        server=server,
        tool=tool,
        message=message.replace("](", "] ("),  # no link that says another thing
        fields=fields,
        example=example,
        span=at_least(patience),
    )


def question_none() -> Text:
    """For an answer to nothing."""
    return Text("question_none")


def question_of_another(person: UserID) -> Text:
    """For an answer by somebody else."""
    return Text("question_of_another", person=person)


def question_which(codes: Sequence[str]) -> Text:
    """For an answer to one of several questions."""
    return Text("question_which", codes=", ".join(codes), code=codes[0])


def question_unfit(fields: Sequence[str], example: str) -> Text:
    """For an answer that the form does not take."""
    names = ", ".join(f"`{shortened(each)}`" for each in fields)
    return Text("question_unfit", fields=names, example=example)


def question_passed_on(server: str) -> Text:
    """For an answer that was taken."""
    return Text("question_passed_on", server=server)


def question_declined(server: str) -> Text:
    """For who would rather not."""
    return Text("question_declined", server=server)
