"""A model that says exactly what a transcript says, on the scripted server of the tests."""

import json

from tests.support.model_server import ModelServer, calls, says
from tests.transcripts.transcript import Call, Transcript


def script(server: ModelServer, transcript: Transcript) -> None:
    """Have the server play the model's part."""
    for together in transcript.rounds():
        made = [(each.call, _arguments(each)) for each in together]
        server.will(calls(*made))
    middle = len(transcript.answer) // 2
    server.will(says(transcript.answer[:middle], transcript.answer[middle:]))


def _arguments(call: Call) -> str:
    return json.dumps(call.written()) if call.writes is None else call.writes
