"""What keeping up with the homeserver needs; adapters implement it, the fakes of the tests too."""

from __future__ import annotations

from typing import Protocol

from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.model.mx import MxCheckpoint, MxMark


class Checkpoints(Protocol):
    """Where it is published how far events have come."""

    def publish(self, checkpoint: MxCheckpoint) -> None:
        """Tell it, in order and in the background; never raises."""


class MxMarks(Protocol):
    """Where the place in the homeserver's stream rests from which on to look for what was missed."""

    async def get(self) -> MxMark | None:
        """The newest one."""

    async def put(self, mark: MxMark) -> None:
        """Take the place of the one before."""


class MatrixIdentities(Protocol):
    """The homeserver as witness of who somebody is; MatrixUnreachable when it does not answer."""

    async def fetch_token_owner(self, token: str) -> MxUserId | None:
        """Whose access token this is."""

    async def fetch_openid_owner(self, token: str) -> MxUserId | None:
        """Who proves themselves by this OpenID token."""
