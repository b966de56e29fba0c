"""Findings about how we and the homeserver know each other: token, server name, namespace."""

from typing import Final

from lycatra_appservice.doctor.findings import Finding, error, ok
from lycatra_appservice.matrix.accounts import is_account_missing
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.setup_client import SetupClient
from lycatra_appservice.matrix.users import VirtualUsers

_KNOWN: Final = "introduction.token"
_NAMESPACE: Final = "introduction.namespace"
_AGAIN: Final = "then `lycatra registration`, and restart Synapse"


async def check_token(client: SetupClient, users: VirtualUsers) -> Finding:
    """Whether Synapse takes our as_token, and for whom it takes us."""
    try:
        sender = await client.sender()
    except MatrixError as refused:
        return error(
            _KNOWN,
            f"Synapse refuses Lycatra's as_token ({refused.errcode})",
            why="Synapse has not read the registration as it is now",
            fix="homeserver.yaml: the registration under app_service_config_files "
            "(a copy has to be copied again), then restart Synapse",
        )
    if sender == users.sender:
        return ok(_KNOWN, "Synapse takes Lycatra's as_token")
    _, _, server = sender.partition(":")
    if server != users.server_name:
        return error(
            _KNOWN,
            f"Synapse calls itself {server}, the configuration calls it {users.server_name}",
            why="no Matrix ID that Lycatra uses exists there",
            fix=f"homeserver.server_name: {server}, {_AGAIN}",
        )
    return error(
        _KNOWN,
        f"Synapse takes Lycatra for {sender} instead of {users.sender}",
        why="Synapse has a registration of another bot.localpart",
        fix=f"bot.localpart as before, or a new registration: {_AGAIN}",
    )


async def check_namespace(client: SetupClient, users: VirtualUsers) -> Finding:
    """Whether Synapse lets us act as our users; one that is not made yet is no problem."""
    for user in users.all:
        try:
            await client.check_user(user)
        except MatrixError as refused:
            if not is_account_missing(refused):
                return error(
                    _NAMESPACE,
                    f"Synapse does not let Lycatra act as {user}: {refused.reason}",
                    why="the namespace of the registration that Synapse has does not cover it",
                    fix="homeserver.yaml: the registration as `lycatra registration` writes it, "
                    "then restart Synapse",
                )
    return ok(_NAMESPACE, f"{users.main} and its {len(users.all) - 1} tool users are Lycatra's")
