"""Everything the server knows, and the delivery of stanzas to linked devices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from tests.simulator.accounts import Account, Device, Registry, lid_for
from tests.simulator.appstate import AppState
from tests.simulator.connection import Connection
from tests.simulator.faults import Faults
from tests.simulator.jids import SERVER, Jid
from tests.simulator.media_host import MediaHost
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.trace import Trace
from tests.simulator.violations import ProtocolViolationError, ViolationKind

if TYPE_CHECKING:
    from tests.simulator.groups import Group
    from tests.simulator.newsletters import Newsletter


def now_seconds() -> int:
    """The time as stanzas carry it."""
    return int(time.time())


class World:
    """The shared state of one simulated WhatsApp."""

    def __init__(self) -> None:
        self.trace = Trace()
        self.faults = Faults()
        self.accounts = Registry()
        self.groups: dict[str, Group] = {}
        self.newsletters: dict[str, Newsletter] = {}
        self.broadcast_lists: dict[str, list[Account]] = {}
        self.media = MediaHost(self.trace)
        self.connections: set[Connection] = set()
        self.refs: dict[str, Connection] = {}
        self.last_id = 0
        self.replaced: list[str] = []
        """Numbers of accounts of which a device came while it was there still: two sockets of one device."""
        self._tasks: set[asyncio.Task[None]] = set()

    def next_id(self) -> str:
        """A fresh stanza id."""
        self.last_id += 1
        return f"simulator-{self.last_id}"

    def add_account(self, number: str, name: str, *, lid: str | None = None) -> Account:
        """Register a phone number."""
        # the phone needs the world, so it is put together here
        from tests.simulator.phone import Phone

        account = Account(number=number, lid=lid or lid_for(number), name=name)
        account.app_state = AppState()
        account.phone = Phone(self, account)
        self.accounts.add(account)
        return account

    def require_group(self, jid: Jid, stanza: Node) -> Group:
        """The group at this address; a violation when there is none."""
        found = self.groups.get(jid.user)
        if found is None:
            raise ProtocolViolationError(ViolationKind.UNKNOWN_CHAT, str(jid), str(stanza))
        return found

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside; its failure is a defect that fails the test."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    async def finish_tasks(self) -> None:
        """Cancel what still runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def notification(self, sender: Jid, kind: str, *children: Node, **attrs: AttrValue) -> Node:
        """A notification stanza with a fresh id."""
        head: dict[str, AttrValue] = {"from": sender, "type": kind, "id": self.next_id(), "t": now_seconds()}
        return node("notification", {**head, **attrs}, children)

    def deliver(self, device: Device, stanza: Node) -> None:
        """Queue a stanza until the device acknowledges it, and send it when the device is there."""
        device.queue.append(stanza)
        if device.connection and device.is_active:
            device.connection.send(stanza)

    def deliver_to_account(self, account: Account, stanza: Node, *, skip: Device | None = None) -> None:
        """Deliver to every companion of an account."""
        for device in list(account.devices.values()):
            if device is not skip:
                self.deliver(device, stanza.with_attrs())

    def send_if_active(self, account: Account, stanza: Node) -> None:
        """Send what is not worth keeping to the companions that are there."""
        for device in account.devices.values():
            if device.connection and device.is_active:
                device.connection.send(stanza)

    def flush(self, connection: Connection) -> None:
        """The device is ready: send its offline queue in order, then go live."""
        device = connection.linked
        counts: dict[str, AttrValue] = {
            tag: sum(n.tag == tag for n in device.queue) for tag in ("message", "notification", "receipt", "call")
        }
        preview = node("offline_preview", {"count": len(device.queue), "appdata": 0, **counts})
        connection.send(node("ib", {"from": SERVER}, [preview]))
        for stanza in device.queue:
            connection.send(stanza.with_attrs(offline="0"))
        connection.send(node("ib", {"from": SERVER}, [node("offline", {"count": len(device.queue)})]))
        device.is_active = True

    def acknowledge(self, device: Device, stanza_class: str, stanza_id: str) -> None:
        """The device has taken a stanza; it is not delivered again."""
        if self.faults.is_ignoring_acks:
            return
        for index, stanza in enumerate(device.queue):
            if stanza.tag == stanza_class and stanza.attrs.get("id") == stanza_id:
                del device.queue[index]
                self.trace.acknowledge(str(device.pn), stanza_class, stanza_id)
                return

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        match task.exception():
            case None:
                pass
            case ProtocolViolationError() as error:
                self.trace.violate(error, peer="unknown")
            case error:
                text = f"{type(error).__name__}: {error}"
                defect = ProtocolViolationError(ViolationKind.SIMULATOR_DEFECT, text)
                self.trace.violate(defect, peer="simulator")
