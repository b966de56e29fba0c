"""Wiring of other MCP servers: their connections, their questions, and who follows their tools."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from lycatra_appservice.app.coming_and_going import Ground
from lycatra_appservice.chat.asking_questions import QuestionJob
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.handlers.answering_questions import AnsweringHandler
from lycatra_appservice.chat.handlers.dispatch import Job
from lycatra_appservice.db.connection import Database, Signals
from lycatra_appservice.matrix.direct_rooms import DirectRooms
from lycatra_appservice.model import LaneKind
from lycatra_appservice.settings_mcp_servers import McpServer
from lycatra_appservice.toolkit.redaction import Mask
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.remote.asking import PATIENCE
from lycatra_appservice.toolkit.remote.servers import RemoteServer, RemoteServers
from lycatra_appservice.toolkit.stored_questions import StoredQuestions
from lycatra_appservice.turns.known import KnownTurns
from lycatra_appservice.turns.questions import QUESTION, QuestionTable, RemoteLists


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingPeople:
    """Who takes `!answer`, and the jobs that show questions."""

    answering: AnsweringHandler
    jobs: Mapping[str, Job]


def build_questions(ground: Ground, composer: Composer) -> AskingPeople:
    """Put it together."""
    table = QuestionTable(ground.database)
    job = QuestionJob(table, KnownTurns(ground.database), ground.users, ground.rooms, composer)
    return AskingPeople(answering=AnsweringHandler(table, composer), jobs={QUESTION: job.run})


def deadlines_with_servers(
    deadlines: Mapping[LaneKind, timedelta], configured: Mapping[str, McpServer]
) -> Mapping[LaneKind, timedelta]:
    """A command may have to wait for a slow server, and for a person whom that asks."""
    if not configured:
        return deadlines
    longest = 2 * max(each.timeout for each in configured.values()) + PATIENCE
    more = {kind: deadlines[kind] + longest for kind in (LaneKind.COMMAND, LaneKind.ASK)}
    return {**deadlines, **more}


def build_servers(
    configured: Mapping[str, McpServer],
    registry: Registry,
    database: Database,
    signals: Signals,
    direct: DirectRooms,
    conceal: Mask,
) -> RemoteServers:
    """Those that have a namespace; one whose name was taken has none."""
    lists = RemoteLists(database)
    questions = StoredQuestions(QuestionTable(database), signals, direct, conceal)
    return RemoteServers(
        [
            RemoteServer(name, server, registry, lists, questions)
            for name, server in configured.items()
            if (home := registry.namespace(name)) is not None and home.is_remote
        ]
    )
