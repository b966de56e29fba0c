"""What do encrypted rooms cost: an answer's time, a hand-over of the keys, and memory?"""

from collections.abc import Sequence

from benchmarks.command_over_synapse import check_synapse
from benchmarks.measuring import CannotMeasureError, Figure
from benchmarks.question import Bench, Question
from lycatra_appservice.app.encryption import E2EE, needs_extra


async def measure(bench: Bench) -> Sequence[Figure]:
    """Answers and hand-overs on one Synapse, then memory without one."""
    check_synapse()
    if not E2EE.is_installed:
        raise CannotMeasureError(needs_extra())
    # Not before: what they import is not there on every Python.
    from benchmarks.encrypted_answers import measure_answers
    from benchmarks.encrypted_memory import measure_memory

    return [*await measure_answers(bench), *await measure_memory(bench)]


QUESTION = Question(
    name="encrypted_rooms",
    figures=(
        "encrypted_over_clear",
        "keys_after_kill",
        "keys_after_kill_longest",
        "keys_after_sigterm",
        "rss_encrypted_rooms",
    ),
    measure=measure,
)
