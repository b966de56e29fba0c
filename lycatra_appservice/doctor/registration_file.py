"""The finding about the registration file: whether it still says what the configuration wants."""

from collections.abc import Mapping
from typing import Final

from lycatra_appservice.doctor.findings import Finding, error, ok, warning
from lycatra_appservice.registration import (
    RegistrationError,
    Tokens,
    differing_keys,
    read_registration,
    registration_content,
)
from lycatra_appservice.settings import Settings

_CHECK: Final = "registration.file"
_FIX: Final = "`lycatra registration`, give the file to Synapse again if it has a copy, restart it"
_HARMLESS: Final = frozenset({"org.lycatra.hs_token_previous"})
_WHY: Final[Mapping[str, str]] = {
    "url": "Synapse calls an address that Lycatra is not at any more",
    "namespaces": "Synapse gives Lycatra other users than it wants to be",
    "sender_localpart": "Synapse takes Lycatra for another user",
    "rate_limited": "Synapse slows Lycatra's answers down as if a person typed too fast",
    "receive_ephemeral": "Lycatra misses what Synapse sends beside messages",
    "as_token": "Synapse refuses everything that Lycatra asks",
    "hs_token": "Lycatra refuses everything that Synapse sends",
    "id": "Synapse does not answer Lycatra's ping",
}


def check_registration(settings: Settings) -> Finding:
    """Compare the file with what we would write; a missing one is fine if tokens are elsewhere."""
    appservice = settings.appservice
    path = appservice.registration_file
    try:
        content = read_registration(path)
    except RegistrationError as unreadable:
        return warning(
            _CHECK,
            str(unreadable),
            why="the tokens stand in the configuration, so only Synapse's own copy can be wrong",
            fix="`lycatra registration` if Synapse reads this file",
        )
    wanted = registration_content(
        settings,
        Tokens(
            as_token=appservice.as_token,
            hs_token=appservice.hs_token,
            hs_token_previous=appservice.hs_token_previous,
        ),
    )
    differing = [key for key in differing_keys(content, wanted) if key not in _HARMLESS]
    if not differing:
        return ok(_CHECK, f"{path} fits the configuration")
    reasons = [
        _WHY.get(key, "Synapse treats Lycatra otherwise than it expects") for key in differing
    ]
    return error(
        _CHECK,
        f"{path} says something else than the configuration: {', '.join(differing)}",
        why="; ".join(dict.fromkeys(reasons)),
        fix=_FIX,
    )
