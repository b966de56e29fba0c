"""Findings about accounts that people have inside our namespace, where only we should be."""

from collections.abc import Sequence
from typing import Final

from lycatra_appservice.doctor.findings import Finding, ok, warning
from lycatra_appservice.matrix.accounts import is_account_missing
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.setup_client import SetupClient
from lycatra_appservice.matrix.users import DEVICE_ID, VirtualUsers
from lycatra_appservice.model import UserID

_CHECK: Final = "accounts"


async def check_accounts(client: SetupClient, users: VirtualUsers) -> Sequence[Finding]:
    """Look for people who can log in as one of our users, and for others with names like ours.

    The second are found only as far as the user directory shows them.
    """
    taken = [user for user in users.all if await _is_logged_in(client, user)]
    others = await _found_in_directory(client, users)
    found = [
        *(_taken(user) for user in taken),
        *(_in_the_way(user, users.main) for user in others),
    ]
    return found or [ok(_CHECK, f"nobody else uses {users.main} or a name of its tools")]


def _taken(user: UserID) -> Finding:
    return warning(
        _CHECK,
        f"somebody has logged in as {user}: the account is older than Lycatra, or was shared",
        why="that person reads and writes as Lycatra",
        fix=f"reset the password of {user} with Synapse's admin API, which ends its sessions, "
        "or use another bot.localpart, then `lycatra registration`, and restart Synapse",
    )


def _in_the_way(user: str, main: UserID) -> Finding:
    return warning(
        _CHECK,
        f"{user} has a name that belongs to {main}'s tools",
        why="Lycatra takes what this account writes for its own, and never answers it",
        fix="another account for that person, or another bot.localpart, "
        "then `lycatra registration`, and restart Synapse",
    )


async def _is_logged_in(client: SetupClient, user: UserID) -> bool:
    try:
        devices = await client.device_ids(user)
    except MatrixError as refused:
        if is_account_missing(refused):
            return False
        raise
    return any(device != DEVICE_ID for device in devices)


async def _found_in_directory(client: SetupClient, users: VirtualUsers) -> Sequence[str]:
    localpart = users.localpart_of(users.main)
    try:
        found = await client.found_users(localpart, as_user=users.sender)
    except MatrixError:  # switched off on this homeserver
        return []
    return sorted(each for each in found if users.is_ours(each) and not users.exists(each))
