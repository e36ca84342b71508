"""Whether the store of keys is the newest one of ours. Loading it loads the ciphers."""

from __future__ import annotations

import logging
import secrets

from mautrix.api import HTTPAPI, Method, Path
from mautrix.client import Client
from mautrix.errors import MatrixError
from mautrix.types import DeviceID
from mautrix.util.async_db import Database

from mautrix_whatsapp_py.matrix.crypto_store import KeyStore
from mautrix_whatsapp_py.matrix.http import Json
from mautrix_whatsapp_py.matrix.key_tables import ensure_facts

log = logging.getLogger(__name__)

_MARK = "net.mautrix_whatsapp_py.crypto"


class Facts:
    """What the bridge itself keeps beside the keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self) -> None:
        """Make sure there is a place for them."""
        await ensure_facts(self._database)

    async def get(self, key: str) -> str | None:
        """A fact; None when it is not known."""
        value = await self._database.fetchval("SELECT value FROM bridge_crypto WHERE key=$1", key)
        return None if value is None else str(value)

    async def put(self, key: str, value: str) -> None:
        """Keep a fact in the place of an older one."""
        await self._database.execute(
            "INSERT INTO bridge_crypto (key, value) VALUES ($1, $2) "
            "ON CONFLICT (key) DO UPDATE SET value=excluded.value",
            key,
            value,
        )


class AccountData:
    """What the homeserver keeps for the bot, by kind."""

    def __init__(self, api: HTTPAPI, client: Client) -> None:
        self._api = api
        self._client = client

    async def fetch(self, kind: str) -> Json:
        """Its content; empty when there is none. MatrixError when it cannot be had."""
        path = Path.v3.user[self._client.mxid].account_data[kind]
        try:
            content: Json = await self._api.request(Method.GET, path, metrics_method="account_data")
        except MatrixError as error:
            if getattr(error, "http_status", 0) == 404:
                return {}
            raise
        return content

    async def send(self, kind: str, content: Json) -> None:
        """Replace it. MatrixError when that cannot be."""
        path = Path.v3.user[self._client.mxid].account_data[kind]
        await self._api.request(Method.PUT, path, content, metrics_method="account_data")


class Marks:
    """Both the store and the homeserver have a mark that changes all the time.

    A store whose mark is another one is older than the newest, and would encrypt with keys that were used before.
    """

    def __init__(self, api: HTTPAPI, client: Client, facts: Facts, data: AccountData) -> None:
        self._api = api
        self._client = client
        self._facts = facts
        self._data = data

    async def find_problem(self, device_id: str, store: KeyStore) -> str:
        """Why the store cannot be used; empty when it can."""
        marked = str((await self._data.fetch(_MARK)).get("mark", ""))
        known = await self._facts.get("mark"), await self._facts.get("next_mark")
        if not device_id:
            return "the keys of encrypted rooms are lost" if marked else ""
        if marked not in known:
            return "the keys of encrypted rooms are from an old backup"
        answer = await self._client.query_keys([self._client.mxid])
        if DeviceID(device_id) not in answer.device_keys.get(self._client.mxid, {}):
            account = await store.get_account()
            return "the device of the bridge is gone from the homeserver" if account and account.shared else ""
        return ""

    async def remove_device(self) -> None:
        """Have nobody encrypt for a device whose keys are gone."""
        device_id = str((await self._data.fetch(_MARK)).get("device", ""))
        if not device_id:
            return
        try:
            await self._api.request(Method.DELETE, Path.v3.devices[device_id], {}, metrics_method="device")
        except MatrixError as error:
            log.info("the old device stays at the homeserver: %s", type(error).__name__)

    async def bump(self) -> None:
        """From now on an earlier copy of the store is an old one."""
        mark = secrets.token_hex(8)
        await self._facts.put("next_mark", mark)
        await self._data.send(_MARK, {"mark": mark, "device": self._client.device_id})
        await self._facts.put("mark", mark)
