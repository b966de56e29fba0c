from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from lycatra_appservice.agent.models import FallbackObserver
from lycatra_appservice.agent.observing import ModelObserver, ModelRequest
from lycatra_appservice.agent.silent_cut import CutObserver
from lycatra_appservice.agent.watching import AgentObserver
from lycatra_appservice.chat.unasked import UnaskedObserver
from lycatra_appservice.intake.routes import IntakeObserver
from lycatra_appservice.model import Face, LaneKind
from lycatra_appservice.ops.metrics import Metrics
from lycatra_appservice.ops.model_figures import MeasuredModel
from lycatra_appservice.toolkit.observing import CallObserver, Outcome
from lycatra_appservice.turns.runner import TurnObserver
from lycatra_appservice.turns.sending import SendObserver
from lycatra_appservice.turns.worker import WorkerObserver

# mypy holds it to what the stages report to.
_of_sending: SendObserver = Metrics()
_: tuple[TurnObserver, WorkerObserver, CallObserver, IntakeObserver, UnaskedObserver] = (
    Metrics(),
) * 5
_of_models: tuple[ModelObserver, FallbackObserver, CutObserver, AgentObserver] = (Metrics(),) * 4


def samples(metrics: Metrics) -> dict[str, float]:
    text, _ = metrics.exposition()
    return {
        sample.name + "".join(f"|{key}={value}" for key, value in sorted(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_every_series_shows_as_zero_before_anything_happened() -> None:
    seen = samples(Metrics(["list_updates"]))
    assert seen["lycatra_turns_total|kind=ask|outcome=failed"] == 0
    assert seen["lycatra_tool_calls_total|face=mcp|outcome=timeout|tool=list_updates"] == 0
    assert seen["lycatra_transactions_total|outcome=unavailable"] == 0
    assert seen["lycatra_wakes_total|by=poll"] == 0
    assert seen["lycatra_slots_used|kind=job"] == 0
    assert seen["lycatra_recoveries_total|reason=dead_owner"] == 0
    assert seen["lycatra_rows_dropped_total|reason=room_lost"] == 0
    assert seen["lycatra_rows_sent_total|kind=edit"] == 0
    assert seen["lycatra_rows_put_off_total|reason=rate_limit"] == 0
    assert seen["lycatra_llm_seconds_count|outcome=ok"] == 0
    hooks = samples(Metrics(hooks=["github"]))
    assert hooks["lycatra_hook_requests_total|hook=github|outcome=refused"] == 0
    for kind in ("welcome", "too_old", "edited", "encrypted"):
        for outcome in ("said", "held_back", "quiet"):
            assert seen[f"lycatra_unasked_total|kind={kind}|outcome={outcome}"] == 0
    for name in (
        "lycatra_lost_leases_total",
        "lycatra_resends_found_total",
        "lycatra_events_stored_total",
        "lycatra_duplicates_dropped_total",
        "lycatra_dead_letters_total",
        "lycatra_drain_seconds_count",
        "lycatra_gap_events_total",
        "lycatra_gap_events_ours_total",
        "lycatra_db_sweeper_corrections_total",
        "lycatra_turn_start_seconds_count",
    ):
        assert seen[name] == 0, name


def test_a_turn_that_ended_counts_once_with_its_time_and_a_pause_counts_apart() -> None:
    metrics = Metrics()
    metrics.turn_started(LaneKind.ASK, timedelta(milliseconds=30))
    metrics.turn_ended(LaneKind.ASK, "retried", timedelta(seconds=1))
    metrics.turn_ended(LaneKind.ASK, "done", timedelta(seconds=2))
    seen = samples(metrics)
    assert seen["lycatra_turn_pauses_total|kind=ask|reason=retried"] == 1
    assert seen["lycatra_turns_total|kind=ask|outcome=done"] == 1
    assert seen["lycatra_turn_seconds_count|kind=ask"] == 1
    assert seen["lycatra_turn_seconds_sum|kind=ask"] == 2
    assert seen["lycatra_turn_start_seconds_sum"] == 0.03


def test_a_made_up_name_makes_no_new_series() -> None:
    metrics = Metrics(["list_updates"])
    before = len(samples(metrics))
    for number in range(100):
        metrics.called(f"invented_{number}", Face.AGENT, Outcome.OK, 0.1)
        metrics.row_dropped(f"the homeserver said {number}")
        metrics.hook_called(f"invented_{number}", "unknown")
    seen = samples(metrics)
    assert seen["lycatra_tool_calls_total|face=agent|outcome=ok|tool=other"] == 100
    assert seen["lycatra_rows_dropped_total|reason=other"] == 100
    assert len(seen) - before < 45  # two counters and two histograms more


def test_a_refused_call_counts_but_says_nothing_about_the_speed_of_the_tool() -> None:
    metrics = Metrics(["list_updates"])
    metrics.called("list_updates", Face.COMMAND, Outcome.NOT_ALLOWED, 0.001)
    metrics.called("list_updates", Face.COMMAND, Outcome.OK, 0.5)
    seen = samples(metrics)
    assert seen["lycatra_tool_calls_total|face=command|outcome=not_allowed|tool=list_updates"] == 1
    assert seen["lycatra_tool_seconds_sum|tool=list_updates"] == 0.5


def test_only_a_leader_shows_what_the_database_says() -> None:
    metrics = Metrics()
    assert not [name for name in samples(metrics) if name.startswith("lycatra_db_turns")]
    metrics.show_database({("waiting", "command"): 3}, 2, 1.5)
    seen = samples(metrics)
    assert seen["lycatra_db_turns|kind=command|state=waiting"] == 3
    assert seen["lycatra_db_turns|kind=ask|state=queued"] == 0
    assert seen["lycatra_db_unsent_replies"] == 2
    assert seen["lycatra_db_oldest_ready_seconds"] == 1.5
    metrics.hide_database()
    assert not [name for name in samples(metrics) if name.startswith("lycatra_db_turns")]
    assert "lycatra_db_unsent_replies" not in samples(metrics)


def test_two_services_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.lease_lost()
    assert samples(one)["lycatra_lost_leases_total"] == 1
    assert samples(other)["lycatra_lost_leases_total"] == 0


def test_help_texts_use_the_words_of_operators() -> None:
    text = Metrics().exposition()[0].decode()
    helps = [
        line.split(" ", 3)[3].lower() for line in text.splitlines() if "# HELP lycatra" in line
    ]
    for ours in ("lane", "outbox", "ghost", "fence"):
        assert not [line for line in helps if ours in line.split()], ours
    assert "_created" not in text


MODELS = (
    MeasuredModel(backend="home", provider="openai_compatible", model="qwen3:8b"),
    MeasuredModel(backend="cloud", provider="openai", model="gpt"),
)
HOME = (
    "backend=home|gen_ai_operation_name=chat|gen_ai_provider_name=openai_compatible"
    "|gen_ai_request_model=qwen3:8b"
)


def test_each_model_shows_as_zero_before_it_was_asked() -> None:
    seen = samples(Metrics(models=MODELS))
    ending = HOME.replace("backend=home|", "backend=home|error_type=timeout|")
    assert seen[f"gen_ai_client_operation_duration_seconds_count|{ending}"] == 0
    assert seen[f"gen_ai_client_operation_time_to_first_chunk_seconds_count|{HOME}"] == 0
    for name in ("fallbacks_total", "prompts_cut_total", "resting"):
        assert seen[f"lycatra_llm_{name}|backend=cloud"] == 0


def test_a_request_counts_with_the_names_of_opentelemetry() -> None:
    metrics = Metrics(models=MODELS)
    metrics.model_answered(
        ModelRequest(
            backend="home",
            outcome="ok",
            seconds=2.5,
            first_chunk=0.5,
            chunk_gaps=[0.25, 0.125],
            input_tokens=700,
            output_tokens=30,
        )
    )
    metrics.model_answered(ModelRequest(backend="home", outcome="timeout", seconds=60))
    seen = samples(metrics)
    duration = "gen_ai_client_operation_duration_seconds"
    well = HOME.replace("backend=home|", "backend=home|error_type=|")
    assert seen[f"{duration}_sum|{well}"] == 2.5
    assert seen[f"{duration}_count|{well.replace('error_type=', 'error_type=timeout')}"] == 1
    assert seen[f"gen_ai_client_operation_time_to_first_chunk_seconds_sum|{HOME}"] == 0.5
    gaps = "gen_ai_client_operation_time_per_output_chunk_seconds"
    assert seen[f"{gaps}_sum|{HOME}"] == 0.375
    assert seen[f"{gaps}_count|{HOME}"] == 2
    assert seen[f"gen_ai_client_token_usage_sum|{HOME}|gen_ai_token_type=input"] == 700
    assert seen[f"gen_ai_client_token_usage_sum|{HOME}|gen_ai_token_type=output"] == 30
    assert seen["lycatra_llm_seconds_count|outcome=ok"] == 1


def test_the_agents_work_counts_with_the_names_and_the_boundaries_of_opentelemetry() -> None:
    metrics = Metrics(["list_updates"])
    begun = samples(metrics)
    assert (
        begun[
            "gen_ai_execute_tool_duration_seconds_count|error_type=|gen_ai_tool_name=list_updates"
        ]
        == 0
    )
    metrics.called("list_updates", Face.AGENT, Outcome.OK, 0.5)
    metrics.called("list_updates", Face.AGENT, Outcome.TIMEOUT, 15)
    metrics.called("list_updates", Face.COMMAND, Outcome.OK, 7)  # no agent
    metrics.called("list_updates", Face.AGENT, Outcome.NOT_ALLOWED, 0.01)  # did not run
    metrics.agent_invoked(3, "")
    metrics.agent_invoked(4, "unreachable")
    metrics.call_mistaken("unknown_tool")
    metrics.agent_stopped("same_call")
    metrics.prompt_trimmed("turns")
    seen = samples(metrics)
    tool = "gen_ai_execute_tool_duration_seconds"
    assert seen[f"{tool}_sum|error_type=|gen_ai_tool_name=list_updates"] == 0.5
    assert seen[f"{tool}_sum|error_type=timeout|gen_ai_tool_name=list_updates"] == 15
    agent = "gen_ai_invoke_agent_duration_seconds"
    assert seen[f"{agent}_sum|error_type=|gen_ai_agent_name=lycatra"] == 3
    assert seen[f"{agent}_sum|error_type=unreachable|gen_ai_agent_name=lycatra"] == 4
    bounds = [
        float(name.rpartition("le=")[2])
        for name in seen
        if name.startswith(f"{agent}_bucket|error_type=|")
    ]
    assert sorted(bounds)[0] == 0.1
    assert sorted(bounds)[-2] == 409.6
    assert seen["lycatra_agent_repairs_total|kind=unknown_tool"] == 1
    assert seen["lycatra_agent_repairs_total|kind=arguments"] == 0
    assert seen["lycatra_agent_stops_total|reason=same_call"] == 1
    assert seen["lycatra_agent_trims_total|what=turns"] == 1


def test_a_model_that_was_not_announced_makes_no_new_series() -> None:
    metrics = Metrics(models=MODELS)
    before = len(samples(metrics))
    metrics.model_answered(ModelRequest(backend="other", outcome="ok", seconds=1))
    metrics.fell_back("other")
    metrics.prompt_cut("other")
    assert len(samples(metrics)) == before


def test_the_tools_of_a_remote_server_count_by_name_once_they_are_known() -> None:
    metrics = Metrics(["list_updates"])
    metrics.called("peer_add", Face.COMMAND, "ok", 0.1)

    metrics.learn_tools(["list_updates", "peer_add"])
    metrics.called("peer_add", Face.COMMAND, "ok", 0.1)

    found = samples(metrics)
    assert found["lycatra_tool_calls_total|face=command|outcome=ok|tool=other"] == 1
    assert found["lycatra_tool_calls_total|face=command|outcome=ok|tool=peer_add"] == 1


def test_a_server_with_ever_other_tools_does_not_make_the_series_grow_for_ever() -> None:
    metrics = Metrics(["list_updates"])

    metrics.learn_tools([f"peer_{n}" for n in range(5000)])
    metrics.called("peer_4999", Face.COMMAND, "ok", 0.1)

    assert not any("peer_4999" in name for name in samples(metrics))
