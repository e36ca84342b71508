"""The accounts of a user, for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_link import WaState, WaStateKind
from mautrix_whatsapp_py.provisioning.answers import ApiError, Json, not_found
from mautrix_whatsapp_py.provisioning.people import MAX_NAME, TIMERS_SECONDS
from mautrix_whatsapp_py.provisioning.steps import FLOWS
from mautrix_whatsapp_py.store.group_records import SpaceRecords
from mautrix_whatsapp_py.store.store import Store

ALL = "all"
NETWORK: Json = {
    "displayname": "WhatsApp",
    "network_url": "https://whatsapp.com",
    "network_icon": "mxc://maunium.net/NeXNQarUbrlYBiPCpprYsRqr",
    "network_id": "whatsapp",
    "beeper_bridge_type": "whatsapp",
    "default_port": 29318,
    "default_command_prefix": "!wa",
}
CAPABILITIES: Json = {
    "resolve_identifier": {"create_dm": True, "lookup_phone": True, "contact_list": True, "search": True},
    "image_pack_import": False,
    "group_creation": {
        "group": {
            "type_description": "a group chat",
            "name": {"allowed": True, "required": True, "min_length": 1, "max_length": MAX_NAME},
            "topic": {"allowed": True},
            "disappear": {
                "allowed": True,
                "disappear_settings": {
                    "types": ["after_send"],
                    "timers": [seconds * 1000 for seconds in TIMERS_SECONDS],
                },
            },
            "participants": {"allowed": True, "required": True, "min_length": 1},
            "parent": {"allowed": True},
        }
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the bridge is called."""

    homeserver: str
    bot: MxUserId
    command_prefix: str


class Accounts:
    """Answers about accounts."""

    def __init__(self, *, logins: Logins, users: Users, store: Store, about: About) -> None:
        self._logins = logins
        self._users = users
        self._store = store
        self._about = about
        self._spaces = SpaceRecords()

    async def whoami(self, user: MxUserId) -> Json:
        """The bridge, the user, their accounts."""
        told: dict[str, Any] = {
            "network": NETWORK,
            "login_flows": list(FLOWS),
            "homeserver": self._about.homeserver,
            "bridge_bot": self._about.bot,
            "command_prefix": self._about.command_prefix,
            "logins": [await self._encode(login) for login in self._logins.of_user(user)],
        }
        if (room_id := await self._users.get_management_room(user)) is not None:
            told["management_room"] = room_id
        return told

    def list_ids(self, user: MxUserId) -> list[str]:
        """Which accounts a user has."""
        return [login.id for login in self._logins.of_user(user)]

    def get_own(self, user: MxUserId, login_id: str) -> Login | None:
        """An account of the user that was named; none when none was. ApiError when it is not theirs."""
        if not login_id:
            return None
        for login in self._logins.of_user(user):
            if login.id == login_id:
                return login
        raise not_found("Login not found")

    async def require(self, user: MxUserId, login_id: str) -> Login:
        """The account a request means: the one it names, or the user's preferred or first one."""
        named = self.get_own(user, login_id)
        if named is not None:
            return named
        if not self._logins.of_user(user):
            raise ApiError(400, "FI.MAU.NOT_LOGGED_IN", "Not logged in")
        return await self._logins.get_default(user)

    async def logout(self, user: MxUserId, login_id: str) -> None:
        """Unlink an account, or all of them."""
        if login_id == ALL:
            for login in self._logins.of_user(user):
                await self._logins.logout(login)
            return
        named = self.get_own(user, login_id)
        if named is None:
            raise not_found("Login not found")
        await self._logins.logout(named)

    async def _encode(self, login: Login) -> Json:
        state = self._logins.state_of(login)
        name = login.push_name or login.business_name
        encoded: dict[str, Any] = {
            "state_event": state.kind.value,
            "state_ts": int(state.since.timestamp()),
            "state": _encode_state(state),
            "id": login.id,
            "name": login.number,
            "profile": {"phone": login.number, **({"name": name} if name else {})},
        }
        async with self._store.reading() as tx:
            space = await self._spaces.get(tx, login.id)
        if space is not None:
            encoded["space_room"] = space.room_id
        return encoded


def _encode_state(state: WaState) -> Json:
    encoded: dict[str, Any] = {
        "state_event": state.kind.value,
        "timestamp": int(state.since.timestamp() * 1000),
        "ttl": 21600 if state.kind is WaStateKind.CONNECTED else 3600,
        "source": "bridge",
    }
    if state.error:
        encoded |= {"error": state.error, "message": state.message}
    return encoded
