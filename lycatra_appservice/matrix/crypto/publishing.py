"""The keys by which others begin a session with one of our devices, at its homeserver.

A key is kept here before it is published: whoever used one that was lost with a crash would
write what nobody can read. So nothing is made anew that a crash may have published already.
"""

from collections.abc import Mapping
from typing import Final

from mautrix.crypto.signature import sign_olm
from mautrix.types import IdentityKey, KeyID

from lycatra_appservice.matrix.crypto.machine import KeyMachine
from lycatra_appservice.model import JSON

ONE_TIME_KEYS: Final = 50  # that the homeserver should have


async def publish_keys(machine: KeyMachine) -> None:
    """Fill up the one-time keys; the first time with the device and its fallback key."""
    account = machine.account
    if account.shared:
        await _publish_fallback_key(machine)  # one that a crash has left
    left = await machine.client.upload_keys()
    count = sum(n for name, n in left.items() if name.serialize() == "signed_curve25519")
    account.mark_keys_as_published()
    missing = ONE_TIME_KEYS - count
    if missing <= 0 and account.shared:
        return
    if missing > 0:
        account.generate_one_time_keys(missing)
    is_first = not account.shared
    if is_first:
        account.generate_fallback_key()
    await machine.crypto_store.put_account(account)
    await machine.client.upload_keys(
        one_time_keys=_signed(machine, account.one_time_keys),
        device_keys=account.get_device_keys(machine.client.mxid, machine.client.device_id)
        if is_first
        else None,
        fallback_keys=_signed(machine, account.fallback_key, fallback=True) if is_first else None,
    )
    account.shared = True
    account.mark_keys_as_published()
    await machine.crypto_store.put_account(account)


async def renew_fallback_key(machine: KeyMachine) -> None:
    """Publish another one, after the homeserver gave it away for want of one-time keys.

    The one before still opens what is under way; the one before that opens nothing (libolm 3.2),
    so whoever calls this leaves time in between.
    """
    if not _has_fallback_key(machine):
        machine.account.generate_fallback_key()
        await machine.crypto_store.put_account(machine.account)
    await _publish_fallback_key(machine)


async def _publish_fallback_key(machine: KeyMachine) -> None:
    if not _has_fallback_key(machine):
        return
    account = machine.account
    await machine.client.upload_keys(
        fallback_keys=_signed(machine, account.fallback_key, fallback=True)
    )
    account.mark_keys_as_published()
    await machine.crypto_store.put_account(account)


def _has_fallback_key(machine: KeyMachine) -> bool:
    """Whether one is made and not published (libolm tells of no other)."""
    return bool(machine.account.fallback_key.get("curve25519"))


def _signed(
    machine: KeyMachine, keys: Mapping[str, Mapping[str, str]], *, fallback: bool = False
) -> Mapping[str, JSON]:
    """By their names, as this device signs them."""
    device = KeyID.ed25519(machine.client.device_id)
    signed = {}
    for key_id, key in keys.get("curve25519", {}).items():
        content: dict[str, JSON] = {"key": key, **({"fallback": True} if fallback else {})}
        signature = sign_olm(dict(content), machine.account)
        signed[str(KeyID.signed_curve25519(IdentityKey(key_id)))] = {
            **content,
            "signatures": {machine.client.mxid: {str(device): signature}},
        }
    return signed
