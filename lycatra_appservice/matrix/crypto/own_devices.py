"""Our own devices: made, published, signed, and the ones before them taken away."""

import logging
from typing import Final

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.matrix.accounts import Accounts
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.crypto.keyring import Keyring
from lycatra_appservice.matrix.crypto.machine import KeyMachine
from lycatra_appservice.matrix.crypto.publishing import publish_keys
from lycatra_appservice.matrix.crypto.secret import KeySecret
from lycatra_appservice.matrix.crypto.unit import KeyUnits
from lycatra_appservice.matrix.users import KEY_DEVICE_PREFIX, VirtualUsers
from lycatra_appservice.model import UserID

logger: Final = logging.getLogger(__name__)


class OwnDevices:
    """Each of our users has one device that encrypts, from the beginning.

    Who writes to a user first has to find its keys, or that message can never be read.
    """

    def __init__(
        self,
        database: Database,
        client: MatrixClient,
        users: VirtualUsers,
        keyring: Keyring,
        units: KeyUnits,
        secret: KeySecret,
    ) -> None:
        self._sql = Statements.load(__package__, "keys", database.dialect)
        self._client = client
        self._users = users
        self._accounts = Accounts(client, users)
        self._keyring = keyring
        self._units = units
        self._secret = secret

    async def prepare(self, user_id: UserID) -> None:
        """Have the device there, published and signed. Cheap when it is."""
        async with self._units.unit() as connection:
            row = await connection.fetch_one(self._sql["get_account"], user_id=user_id)
        if row is not None and row["shared"] and row["signed"]:
            return
        await self._accounts.ensure(user_id)
        async with self._keyring.use(user_id) as machine:
            device_id = machine.client.device_id
            name = self._users.display_name(user_id)
            await self._client.create_device(device_id, name, as_user=user_id)
            await publish_keys(machine)
            await self._sign(machine)
            await self._remove_others(user_id, device_id)
            async with self._units.unit() as connection:
                await connection.execute(self._sql["mark_signed"], user_id=user_id)
        logger.info("device_ready", extra={"user_id": user_id, "device_id": device_id})

    async def _sign(self, machine: KeyMachine) -> None:
        """Sign the device by the user's own keys; to publish the same ones again does no harm."""
        await machine.publish_signing_keys(self._secret.seeds(machine.client.mxid))

    async def _remove_others(self, user_id: UserID, current: str) -> None:
        """Or people's clients would go on encrypting for devices whose keys are lost."""
        for device_id in await self._client.devices(as_user=user_id):
            if device_id.startswith(KEY_DEVICE_PREFIX) and device_id != current:
                await self._client.delete_device(device_id, as_user=user_id)
                logger.info("device_removed", extra={"user_id": user_id, "device_id": device_id})
