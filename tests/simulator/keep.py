"""What a server of its own remembers between two runs: accounts with their keys and links, groups, media."""

from __future__ import annotations

import asyncio
import io
import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

from tests.simulator.accounts import Account, Registry
from tests.simulator.connection import Connection
from tests.simulator.groups import Group
from tests.simulator.newsletters import Newsletter
from tests.simulator.world import World

_WORLD: Final = "world"
_CONNECTION: Final = "connection"


class CannotResumeError(Exception):
    """What was kept is damaged or was written by other code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    accounts: Registry
    groups: dict[str, Group]
    newsletters: dict[str, Newsletter]
    broadcast_lists: dict[str, list[Account]]
    blobs: dict[str, bytes]
    last_id: int


def save_world(world: World, path: Path) -> None:
    """Write what has to outlive the process, in one step; the file holds private keys."""
    kept = _Kept(
        accounts=world.accounts,
        groups=world.groups,
        newsletters=world.newsletters,
        broadcast_lists=world.broadcast_lists,
        blobs=world.media.blobs,
        last_id=world.last_id,
    )
    out = io.BytesIO()
    _Pickler(out, world).dump(kept)
    staged = path.with_name(path.name + ".new")
    staged.touch(mode=0o600)
    staged.write_bytes(out.getvalue())
    staged.replace(path)


def restore_world(world: World, path: Path) -> None:
    """Continue where the file ends, with nobody connected; nothing happens when there is none."""
    if not path.exists():
        return
    try:
        kept = _Unpickler(io.BytesIO(path.read_bytes()), world).load()
        world.accounts, world.groups, world.newsletters = kept.accounts, kept.groups, kept.newsletters
        world.broadcast_lists, world.last_id = kept.broadcast_lists, kept.last_id
        world.media.blobs = kept.blobs
    # pickle lets through whatever the classes it finds today say to the fields of yesterday
    except Exception as error:
        raise CannotResumeError(f"{path} is damaged or of another version: remove it") from error
    for account in world.accounts:
        account.is_online = False
        for device in account.devices.values():
            device.is_active = False


class _Pickler(pickle.Pickler):
    """Leaves out what belongs to a running server."""

    def __init__(self, out: io.BytesIO, world: World) -> None:
        super().__init__(out)
        self._world = world

    def persistent_id(self, found: Any) -> str | None:
        if found is self._world:
            return _WORLD
        return _CONNECTION if isinstance(found, Connection) else None

    def reducer_override(self, found: Any) -> Any:
        if isinstance(found, asyncio.Queue):
            return _make_queue, (list(found._queue),)  # type: ignore[attr-defined]
        if isinstance(found, Message):
            # the modules of the client library's messages are not found under the names they give themselves
            return _make_message, (found.DESCRIPTOR.full_name, found.SerializeToString())
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: io.BytesIO, world: World) -> None:
        super().__init__(data)
        self._world = world

    def persistent_load(self, name: str) -> World | None:
        return self._world if name == _WORLD else None


def _make_queue(items: Iterable[Any]) -> asyncio.Queue[Any]:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    for item in items:
        queue.put_nowait(item)
    return queue


def _make_message(name: str, data: bytes) -> Any:
    descriptor = descriptor_pool.Default().FindMessageTypeByName(name)
    return message_factory.GetMessageClass(descriptor).FromString(data)
