"""Who is on WhatsApp and what they show of themselves."""

from __future__ import annotations

import hashlib
import random

from tests.simulator import groups
from tests.simulator.accounts import Account, Picture
from tests.simulator.business import business_node
from tests.simulator.connection import Connection
from tests.simulator.jids import GROUP, PN, Jid
from tests.simulator.nodes import AttrValue, Node, node
from tests.simulator.world import World, now_seconds


def on_usync(world: World, connection: Connection, iq: Node) -> None:
    """Look up people: devices, LID, about, picture, number."""
    asked = iq.require_child("usync")
    queries = [query.tag for query in asked.require_child("query").children]
    users = [_usync_user(world, user, queries) for user in asked.require_child("list").children]
    attrs: dict[str, AttrValue] = {
        "mode": asked.get("mode"),
        "sid": asked.get("sid"),
        "last": "true",
        "index": "0",
        "context": asked.get("context"),
    }
    result = node("result", {}, [node(query) for query in queries])
    connection.reply(iq, node("usync", attrs, [result, node("list", {}, users)]))


def _usync_user(world: World, user: Node, queries: list[str]) -> Node:
    jid = user.get_jid("jid")
    if jid is None:
        return _usync_number(world, user.require_child("contact").string)
    account = world.accounts.get(jid)
    if account is None:
        empty = [node("devices", {}, [node("device-list", {}, [])])] if "devices" in queries else []
        return node("user", {"jid": jid}, empty)
    answers = (_usync_answer(account, query) for query in queries)
    return node("user", {"jid": jid}, [answer for answer in answers if answer])


def _usync_number(world: World, contact: str) -> Node:
    number = contact.split("@")[0].lstrip("+")
    account = world.accounts.by_number(number)
    if account is None:
        return node("user", {"jid": Jid(number, PN)}, [node("contact", {"type": "out"}, contact)])
    attrs: dict[str, AttrValue] = {"jid": account.lid, "pn_jid": account.pn}
    return node("user", attrs, [node("contact", {"type": "in"}, contact)])


def _usync_answer(account: Account, query: str) -> Node | None:
    match query:
        case "devices":
            listed = [node("device", {"id": n, "key-index": n or None}) for n in account.device_numbers]
            index = node("key-index-list", {"ts": now_seconds()})
            return node("devices", {}, [node("device-list", {}, listed), index])
        case "lid":
            return node("lid", {"val": account.lid})
        case "status":
            return node("status", {"t": now_seconds()}, account.about)
        case "picture" if account.picture and not account.is_picture_hidden:
            return node("picture", {"id": account.picture.picture_id})
        case "business" if account.business_name:
            return node("business", {}, [business_node(account.business_name)])
        case "contact":
            return node("contact", {"type": "in"})
        case _:
            return None


def on_picture(world: World, connection: Connection, iq: Node) -> None:
    """Where to download a profile or group picture."""
    target, asked = iq.get_jid("target") or connection.linked.lid, iq.require_child("picture")
    picture = _picture_of(world, target)
    account = world.accounts.get(target)
    if account and account.is_picture_hidden and not account.owns(connection.linked.lid):
        connection.refuse(iq, 401, "not-authorized")
    elif picture is None:
        connection.refuse(iq, 404, "item-not-found")
    elif asked.get("id") == picture.picture_id:
        connection.reply(iq, node("picture", {"status": "304"}))
    else:
        path = f"/pps/{picture.picture_id}.jpg"
        world.media.blobs[path] = picture.data
        attrs: dict[str, AttrValue] = {
            "id": picture.picture_id,
            "type": asked.get("type"),
            "url": f"https://pps.whatsapp.net{path}",
            "direct_path": path,
        }
        connection.reply(iq, node("picture", attrs))


def _picture_of(world: World, target: Jid) -> Picture | None:
    if target.server == GROUP:
        group = world.groups.get(target.user)
        return group.picture if group else None
    account = world.accounts.get(target)
    return account.picture if account else None


def on_set_picture(world: World, connection: Connection, iq: Node) -> None:
    """Set or remove the own picture or that of a group."""
    account, target = connection.linked.account, iq.get_jid("target")
    picture = iq.child("picture")
    data = picture.data if picture and picture.data else None
    if target and target.server == GROUP:
        group = world.require_group(target, iq)
        picture_id = groups.set_picture(world, group, account, data)
    else:
        picture_id = set_profile_picture(world, account, data)
    connection.reply(iq, node("picture", {"id": picture_id}))


def set_profile_picture(world: World, account: Account, data: bytes | None) -> str:
    """Change somebody's picture and tell everybody who is linked."""
    picture_id = str(random.randrange(10**9))
    account.picture = Picture(picture_id=picture_id, data=data) if data else None
    attrs: dict[str, AttrValue] = {"jid": account.lid, "author": account.lid}
    child = node("set", {**attrs, "id": picture_id}) if data else node("delete", attrs)
    for other in world.accounts:
        if other is not account:
            world.deliver_to_account(other, world.notification(account.lid, "picture", child))
    return picture_id


def on_privacy(_world: World, connection: Connection, iq: Node) -> None:
    """Privacy settings."""
    settings = connection.linked.account.privacy
    if iq.get("type") == "set":
        for category in iq.require_child("privacy").all("category"):
            settings[category.text("name")] = category.text("value")
    listed = [node("category", {"name": name, "value": value}) for name, value in settings.items()]
    connection.reply(iq, node("privacy", {}, listed))


def on_blocklist(world: World, connection: Connection, iq: Node) -> None:
    """The list of blocked people."""
    account, item = connection.linked.account, iq.child("item")
    if item:
        other = world.accounts.require(item.jid("jid"), iq)
        is_block = item.text("action") == "block"
        (account.blocked.add if is_block else account.blocked.discard)(other.lid)
    spelled = "".join(sorted(map(str, account.blocked)))
    digest = hashlib.sha256(spelled.encode()).hexdigest()[:16]
    listed = [node("item", {"jid": jid}) for jid in account.blocked]
    connection.reply(iq, node("list", {"dhash": digest, "matched": "false"}, listed))


def on_status_privacy(_world: World, connection: Connection, iq: Node) -> None:
    """Who sees status posts."""
    connection.reply(iq, node("privacy", {}, [node("list", {"type": "contacts", "default": "true"})]))


def on_contact_link(_world: World, connection: Connection, iq: Node) -> None:
    """The link others add this account by."""
    connection.reply(iq, node("qr", {"code": f"SIM{connection.linked.account.lid.user}"}))


def on_about(world: World, connection: Connection, iq: Node) -> None:
    """Set the own about text."""
    set_about(world, connection.linked.account, iq.require_child("status").string)
    connection.reply(iq)


def set_about(world: World, account: Account, text: str) -> None:
    """Change somebody's about text and tell everybody who is linked."""
    account.about = text
    for other in world.accounts:
        if other is not account:
            child = node("set", {}, text)
            world.deliver_to_account(other, world.notification(account.lid, "status", child))
