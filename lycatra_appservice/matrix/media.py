"""Uploads: a media id is reserved first, then filled, so that a repeat fills the same one."""

from typing import Final

from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.model import UserID
from lycatra_appservice.turns.delivery import SendRow

_DEFAULT_TYPE: Final = "application/octet-stream"


class Uploader:
    """Carries out upload rows."""

    def __init__(self, client: MatrixClient) -> None:
        self._client = client

    async def reserve(self, as_user: UserID) -> str:
        """A new media id for this user; it is nobody else's to fill, and ends after a day."""
        return await self._client.create_mxc(as_user=as_user)

    async def fill(self, mxc: str, data: bytes, row: SendRow) -> str:
        """Put the row's bytes behind a media id; returns the id that holds them in the end.

        That is another one when the id given has ended meanwhile.
        """
        try:
            await self._put(mxc, data, row)
        except MatrixError as exc:
            if exc.errcode == "M_CANNOT_OVERWRITE_MEDIA":
                return mxc  # an earlier attempt came through
            if exc.errcode != "M_NOT_FOUND" or row.mxc is None:
                raise
            mxc = await self.reserve(row.sender)
            await self._put(mxc, data, row)
        return mxc

    async def _put(self, mxc: str, data: bytes, row: SendRow) -> None:
        await self._client.upload(
            mxc,
            data,
            content_type=str(row.content.get("content_type") or _DEFAULT_TYPE),
            filename=row.content.get("filename"),
            as_user=row.sender,
        )
