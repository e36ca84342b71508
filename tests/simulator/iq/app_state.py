"""App state synchronisation."""

from __future__ import annotations

from tests.simulator.accounts import Device
from tests.simulator.appstate import AppState, Collection, collection_notice
from tests.simulator.connection import Connection
from tests.simulator.crypto import sha256
from tests.simulator.jids import SERVER
from tests.simulator.media_crypto import encrypt_media
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.protobufs import server_sync
from tests.simulator.world import World


def on_sync(world: World, connection: Connection, iq: Node) -> None:
    """Fetch or change collections."""
    device = connection.linked
    answers = [_answer(world, device, asked) for asked in iq.require_child("sync").all("collection")]
    connection.reply(iq, node("sync", {}, answers))


def _answer(world: World, device: Device, asked: Node) -> Node:
    state = device.account.app_state
    collection = state.collection(asked.text("name"))
    patch = asked.child("patch")
    if patch is not None:
        return _accept(world, device, asked, patch)
    children: list[Node] = []
    if asked.get("return_snapshot") == "true":
        if collection.version:
            children.append(node("snapshot", {}, _stored_snapshot(world, state, collection)))
    else:
        missing = collection.patches_since(int(asked.get_text("version") or 0))
        if missing:
            children.append(node("patches", {}, [node("patch", {}, raw) for raw in missing]))
    return node("collection", {**_head(collection), "has_more_patches": "false"}, children or None)


def _accept(world: World, device: Device, asked: Node, patch: Node) -> Node:
    state = device.account.app_state
    collection = state.collection(asked.text("name"))
    if int(asked.get_text("version") or 0) != collection.version:
        conflict = node("error", {"code": "409", "text": "conflict"})
        return node("collection", {**_head(collection), "type": "error"}, [conflict])
    state.accept_patch(collection.name, patch.data)
    notice = world.notification(SERVER, "server_sync", collection_notice(collection))
    world.deliver_to_account(device.account, notice, skip=device)
    return node("collection", _head(collection))


def _head(collection: Collection) -> dict[str, AttrValue]:
    return {"name": collection.name, "version": collection.version}


def _stored_snapshot(world: World, state: AppState, collection: Collection) -> bytes:
    raw = collection.snapshot(state.keys)
    media = encrypt_media(raw, "appstate")
    reference = server_sync.ExternalBlobReference(
        mediaKey=media.key,
        directPath=world.media.store(media.blob).direct_path,
        handle="simulator",
        fileSizeBytes=len(media.blob),
        fileSHA256=sha256(raw),
        fileEncSHA256=sha256(media.blob),
    )
    return bytes(reference.SerializeToString())
