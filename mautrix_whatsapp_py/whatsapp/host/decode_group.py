"""Group events: from the library to the model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model import wa
from mautrix_whatsapp_py.whatsapp.host.journal import Row
from mautrix_whatsapp_py.whatsapp.host.protobuf import Protobuf, get_jid, get_time_s, require_jid


def decode_joined(row: Row, protobuf: Protobuf) -> wa.WaEvent:
    """We were added, or a group was made with us in it."""
    event = protobuf.parse(row.code, row.read())
    return wa.WaGroupJoined(
        group=decode_group(event.GroupInfo),
        reason=event.Reason,
        create_key=event.CreateKey,
        sender=get_jid(event.Sender) if event.HasField("Sender") else None,
    )


def decode_group(info: Any) -> wa.WaGroup:
    """A group with its members."""
    return wa.WaGroup(
        jid=require_jid(info.JID),
        name=info.GroupName.Name,
        topic=info.GroupTopic.Topic,
        topic_id=info.GroupTopic.TopicID,
        owner=get_jid(info.OwnerJID),
        # A 32-bit float on the wire: right to about a minute.
        created_at=datetime.fromtimestamp(info.GroupCreated, tz=UTC) if info.GroupCreated > 0 else None,
        is_locked=info.GroupLocked.isLocked,
        is_announcement=info.GroupAnnounce.IsAnnounce,
        is_community=info.GroupParent.IsParent,
        is_default_subgroup=info.GroupIsDefaultSub.IsDefaultSubGroup,
        community=get_jid(info.GroupLinkedParent.LinkedParentJID),
        disappearing_seconds=info.GroupEphemeral.DisappearingTimer if info.GroupEphemeral.IsEphemeral else 0,
        members=tuple(_decode_member(member) for member in info.Participants),
    )


def _decode_member(member: Any) -> wa.WaGroupMember:
    return wa.WaGroupMember(
        jid=require_jid(member.JID),
        lid=get_jid(member.LID),
        phone_number=get_jid(member.PhoneNumber),
        is_admin=member.IsAdmin or member.IsSuperAdmin,
        is_super_admin=member.IsSuperAdmin,
    )


def decode_changed(row: Row, protobuf: Protobuf) -> wa.WaEvent:
    """Names, settings and members that changed."""
    event = protobuf.parse(row.code, row.read())
    return wa.WaGroupChanged(
        chat=require_jid(event.JID),
        timestamp=get_time_s(event.Timestamp) or row.received_at,
        sender=get_jid(event.Sender) if event.HasField("Sender") else None,
        name=event.Name.Name if event.HasField("Name") else None,
        topic=event.Topic.Topic if event.HasField("Topic") else None,
        topic_id=event.Topic.TopicID if event.HasField("Topic") else None,
        is_locked=event.Locked.isLocked if event.HasField("Locked") else None,
        is_announcement=event.Announce.IsAnnounce if event.HasField("Announce") else None,
        disappearing_seconds=_get_timer(event),
        is_deleted=event.HasField("Delete") and event.Delete.Deleted,
        invite_link=event.NewInviteLink if event.HasField("NewInviteLink") else None,
        linked=get_jid(event.Link.Group.JID) if event.HasField("Link") else None,
        unlinked=get_jid(event.Unlink.Group.JID) if event.HasField("Unlink") else None,
        joined=_jids(event.Join),
        left=_jids(event.Leave),
        promoted=_jids(event.Promote),
        demoted=_jids(event.Demote),
        join_reason=event.JoinReason,
    )


def _get_timer(event: Any) -> int | None:
    if not event.HasField("Ephemeral"):
        return None
    return int(event.Ephemeral.DisappearingTimer) if event.Ephemeral.IsEphemeral else 0


def _jids(values: Any) -> tuple[WaJid, ...]:
    return tuple(require_jid(value) for value in values)
