"""Answers about people, groups, channels and links: from the library and its tables to the model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from mautrix_whatsapp_py.ids import LID_SERVER, USER_SERVER, WaJid
from mautrix_whatsapp_py.model.wa import WaGroup
from mautrix_whatsapp_py.model.wa_directory import (
    WaChatSetting,
    WaContact,
    WaContacts,
    WaGroupBrief,
    WaLinkTarget,
    WaLookup,
    WaNewsletter,
    WaTargetKind,
)
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf, get_address, get_jid, get_text, require_jid
from mautrix_whatsapp_py.whatsapp.tables import Query

Row = Sequence[str | int | None]
MAX_NAME = 200
MAX_TOPIC = 2000
_CONTACTS = """
SELECT c.rowid, c.their_jid, m.lid, m.pn, c.full_name, c.first_name, c.push_name, c.business_name
FROM whatsmeow_contacts AS c
LEFT JOIN whatsmeow_lid_map AS m ON c.their_jid IN (m.lid || '@lid', m.pn || '@s.whatsapp.net')
WHERE c.our_jid IN (SELECT jid FROM whatsmeow_device) AND c.rowid > ?
ORDER BY c.rowid LIMIT ?
"""
_SETTINGS = """
SELECT chat_jid, muted_until, pinned, archived FROM whatsmeow_chat_settings
WHERE our_jid IN (SELECT jid FROM whatsmeow_device) AND (muted_until <> 0 OR pinned OR archived)
LIMIT 5000
"""
SETTINGS_QUERY: Query = (_SETTINGS, ())


def contacts_query(first_row: int, limit: int) -> Query:
    """Asks for a page of contacts."""
    return _CONTACTS, (first_row, limit)


def decode_contacts(rows: Sequence[Row], limit: int) -> WaContacts:
    """A page of contacts; somebody kept under both addresses comes twice."""
    found = [contact for row in rows if (contact := _decode_contact(row)) is not None]
    last = rows[-1][0] if len(rows) >= limit else 0
    return WaContacts(items=tuple(found), next_row=last if isinstance(last, int) else 0)


def _decode_contact(row: Row) -> WaContact | None:
    _, address, lid, pn, *names = row
    jid = get_address(str(address))
    if jid is None or jid.server not in (USER_SERVER, LID_SERVER):
        return None
    full, first, push, business = (get_text(str(name or ""), MAX_NAME) for name in names)
    by_number = WaJid(user=str(pn), server=USER_SERVER) if pn else None
    by_lid = WaJid(user=str(lid), server=LID_SERVER) if lid else None
    return WaContact(
        jid=by_number or jid,
        lid=by_lid or (jid if jid.server == LID_SERVER else None),
        full_name=full,
        first_name=first,
        push_name=push,
        business_name=business,
    )


def decode_settings(rows: Sequence[Row]) -> tuple[WaChatSetting, ...]:
    """How chats are put."""
    return tuple(one for row in rows if (one := _decode_setting(row)) is not None)


def _decode_setting(row: Row) -> WaChatSetting | None:
    address, muted_until, pinned, archived = row
    chat = get_address(str(address))
    if chat is None:
        return None
    return WaChatSetting(
        chat=chat,
        muted_until=_decode_mute(muted_until),
        is_pinned=bool(pinned),
        is_archived=bool(archived),
    )


def _decode_mute(value: str | int | None) -> datetime | None:
    if not isinstance(value, int) or value == 0:
        return None
    if value < 0:
        return datetime.max.replace(tzinfo=UTC, microsecond=0)
    return datetime.fromtimestamp(value, tz=UTC)


def decode_lookup(item: Any) -> WaLookup:
    """An answer about a number."""
    jid = get_jid(item.JID) if item.HasField("JID") else None
    is_lid = jid is not None and jid.server == LID_SERVER
    number = item.Query.lstrip("+").split("@")[0]
    return WaLookup(
        number=number,
        jid=WaJid(user=number, server=USER_SERVER) if is_lid else jid,
        lid=jid if is_lid else None,
        is_registered=item.IsIn,
        business_name=get_text(item.VerifiedName.Details.verifiedName, MAX_NAME),
    )


def decode_brief(info: Any) -> WaGroupBrief:
    """A group without its members."""
    return WaGroupBrief(
        jid=require_jid(info.JID),
        name=get_text(info.GroupName.Name, MAX_NAME),
        member_count=len(info.Participants),
        is_community=info.GroupParent.IsParent,
        community=get_jid(info.GroupLinkedParent.LinkedParentJID),
    )


def decode_newsletter(info: Any, protobuf: Protobuf) -> WaNewsletter:
    """A channel."""
    meta, viewer = info.ThreadMeta, info.ViewerMeta
    has_viewer = info.HasField("ViewerMeta")
    role = protobuf.enum_name(viewer, "Role") if has_viewer else "GUEST"
    return WaNewsletter(
        jid=require_jid(info.ID),
        name=get_text(meta.Name.Text, MAX_NAME),
        topic=get_text(meta.Description.Text, MAX_TOPIC),
        subscriber_count=meta.SubscriberCount,
        is_subscribed=role != "GUEST",
        is_owner=role == "OWNER",
        is_muted=has_viewer and protobuf.enum_name(viewer, "Mute") == "ON",
    )


def newsletter_target(newsletter: WaNewsletter) -> WaLinkTarget:
    """A channel that a link leads to."""
    return WaLinkTarget(
        kind=WaTargetKind.NEWSLETTER,
        jid=newsletter.jid,
        name=newsletter.name,
        topic=newsletter.topic,
        member_count=newsletter.subscriber_count,
    )


def decode_group_target(group: WaGroup) -> WaLinkTarget:
    """A group that a link leads to."""
    return WaLinkTarget(
        kind=WaTargetKind.GROUP,
        jid=group.jid,
        name=get_text(group.name, MAX_NAME),
        topic=get_text(group.topic, MAX_TOPIC),
        member_count=len(group.members),
    )


def decode_contact_target(target: Any) -> WaLinkTarget:
    """A person that a link leads to."""
    name = get_text(target.PushName, MAX_NAME)
    return WaLinkTarget(kind=WaTargetKind.CONTACT, jid=require_jid(target.JID), name=name)


def decode_business_target(target: Any) -> WaLinkTarget:
    """A business that a link leads to, and what it wants written."""
    return WaLinkTarget(
        kind=WaTargetKind.BUSINESS,
        jid=require_jid(target.JID),
        name=get_text(target.VerifiedName or target.PushName, MAX_NAME),
        message=get_text(target.Message, MAX_TOPIC),
    )
