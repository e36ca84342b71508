"""App state: encrypted snapshots and patches of settings with valid hashes and MACs."""

from __future__ import annotations

import hmac
import json
import os
import time
from dataclasses import dataclass, field
from typing import Any, Final

from tests.simulator.crypto import cbc_decrypt, cbc_encrypt, hkdf
from tests.simulator.nodes import Node
from tests.simulator.protobufs import server_sync, sync_action
from tests.simulator.violations import ProtocolViolationError, ViolationKind

COLLECTION_NAMES: Final = ("critical_block", "critical_unblock_low", "regular_high", "regular", "regular_low")


@dataclass(frozen=True, slots=True, kw_only=True)
class AppStateKeys:
    """The keys derived from one shared app state key."""

    key_id: bytes
    data: bytes
    index: bytes
    encryption: bytes
    value_mac: bytes
    snapshot_mac: bytes
    patch_mac: bytes

    @classmethod
    def generate(cls) -> AppStateKeys:
        """A fresh key."""
        data = os.urandom(32)
        parts = hkdf(data, None, b"WhatsApp Mutation Keys", 160)
        return cls(
            key_id=os.urandom(6),
            data=data,
            index=parts[:32],
            encryption=parts[32:64],
            value_mac=parts[64:96],
            snapshot_mac=parts[96:128],
            patch_mac=parts[128:],
        )


@dataclass(slots=True, kw_only=True)
class Collection:
    """One collection: its records by index MAC, its rolling hash and its patches."""

    name: str
    version: int = 0
    hash: bytearray = field(default_factory=lambda: bytearray(128))
    records: dict[bytes, Any] = field(default_factory=dict)
    patches: list[tuple[int, bytes]] = field(default_factory=list)

    def apply(self, mutations: Any) -> None:
        """Apply one patch's mutations."""
        for mutation in mutations:
            index_mac, blob = mutation.record.index.blob, mutation.record.value.blob
            replaced = self.records.pop(index_mac, None)
            if replaced is not None:
                self._add(replaced.value.blob[-32:], sign=-1)
            if mutation.operation == server_sync.SyncdMutation.SET:
                self._add(blob[-32:], sign=1)
                self.records[index_mac] = mutation.record
        self.version += 1

    def snapshot_mac(self, keys: AppStateKeys) -> bytes:
        """The MAC over the current state."""
        data = bytes(self.hash) + self.version.to_bytes(8, "big") + self.name.encode()
        return hmac.digest(keys.snapshot_mac, data, "sha256")

    def patches_since(self, version: int) -> list[bytes]:
        """The patches a client at this version lacks."""
        return [raw for number, raw in self.patches if number > version]

    def snapshot(self, keys: AppStateKeys) -> bytes:
        """All records as one snapshot."""
        snapshot = server_sync.SyncdSnapshot(records=list(self.records.values()), mac=self.snapshot_mac(keys))
        snapshot.version.version, snapshot.keyID.ID = self.version, keys.key_id
        return bytes(snapshot.SerializeToString())

    def _add(self, item: bytes, *, sign: int) -> None:
        delta = hkdf(item, None, b"WhatsApp Patch Integrity", 128)
        for i in range(0, 128, 2):
            value = int.from_bytes(self.hash[i : i + 2], "little")
            value += sign * int.from_bytes(delta[i : i + 2], "little")
            self.hash[i : i + 2] = (value & 0xFFFF).to_bytes(2, "little")


class AppState:
    """All collections of one account."""

    def __init__(self) -> None:
        self.keys = AppStateKeys.generate()
        self._collections = {name: Collection(name=name) for name in COLLECTION_NAMES}

    @property
    def is_empty(self) -> bool:
        """True while nothing was ever set."""
        return all(c.version == 0 for c in self._collections.values())

    def collection(self, name: str) -> Collection:
        """The collection; a violation when no such one exists."""
        if name not in self._collections:
            raise ProtocolViolationError(ViolationKind.UNKNOWN_REQUEST, f"app state collection {name!r}")
        return self._collections[name]

    def set(self, name: str, index: list[str], value: Any, *, version: int) -> Collection:
        """The phone sets one record; returns the changed collection."""
        return self._change(name, self._mutation(index, value, version=version))

    def remove(self, name: str, index: list[str], *, version: int) -> Collection:
        """The phone removes one record; returns the changed collection."""
        mutation = self._mutation(index, sync_action.SyncActionValue(), version=version, is_removal=True)
        return self._change(name, mutation)

    def accept_patch(self, name: str, raw: bytes) -> Collection:
        """A client's own patch; a violation when its MAC is wrong."""
        collection = self.collection(name)
        patch = server_sync.SyncdPatch.FromString(raw)
        collection.apply(patch.mutations)
        if patch.snapshotMAC != collection.snapshot_mac(self.keys):
            raise ProtocolViolationError(ViolationKind.BAD_MAC, f"snapshot MAC of {name}")
        patch.version.version = collection.version
        collection.patches.append((collection.version, bytes(patch.SerializeToString())))
        return collection

    def read(self, name: str) -> dict[str, Any]:
        """The decrypted records by index, as the phone would show them."""
        out: dict[str, Any] = {}
        for record in self.collection(name).records.values():
            blob = record.value.blob[:-32]
            plain = cbc_decrypt(self.keys.encryption, blob[:16], blob[16:])
            data = sync_action.SyncActionData.FromString(plain)
            out[data.index.decode()] = data.value
        return out

    def _change(self, name: str, mutation: Any) -> Collection:
        collection = self.collection(name)
        collection.apply([mutation])
        patch = server_sync.SyncdPatch(mutations=[mutation], snapshotMAC=collection.snapshot_mac(self.keys))
        patch.version.version, patch.keyID.ID = collection.version, self.keys.key_id
        tail = collection.version.to_bytes(8, "big") + name.encode()
        sealed = patch.snapshotMAC + mutation.record.value.blob[-32:] + tail
        patch.patchMAC = hmac.digest(self.keys.patch_mac, sealed, "sha256")
        collection.patches.append((collection.version, bytes(patch.SerializeToString())))
        return collection

    def _mutation(self, index: list[str], value: Any, *, version: int, is_removal: bool = False) -> Any:
        value.timestamp = value.timestamp or int(time.time() * 1000)
        index_data = json.dumps(index, separators=(",", ":")).encode()
        data = sync_action.SyncActionData(index=index_data, value=value, padding=b"", version=version)
        iv = os.urandom(16)
        content = iv + cbc_encrypt(self.keys.encryption, iv, data.SerializeToString())
        operation = server_sync.SyncdMutation.REMOVE if is_removal else server_sync.SyncdMutation.SET
        marker = b"\2" if is_removal else b"\1"
        authenticated = marker + self.keys.key_id + content + (len(self.keys.key_id) + 1).to_bytes(8, "big")
        mutation = server_sync.SyncdMutation(operation=operation)
        mutation.record.index.blob = hmac.digest(self.keys.index, index_data, "sha256")
        mutation.record.value.blob = content + hmac.digest(self.keys.value_mac, authenticated, "sha512")[:32]
        mutation.record.keyID.ID = self.keys.key_id
        return mutation


def collection_notice(collection: Collection) -> Node:
    """The hint that a collection has changed."""
    return Node("collection", {"name": collection.name, "version": collection.version})
