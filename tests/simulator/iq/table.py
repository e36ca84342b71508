"""Which handler answers which request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tests.simulator.connection import Connection
from tests.simulator.iq import app_state, community, group, keys, link, media, mex, people, session
from tests.simulator.nodes import Node
from tests.simulator.violations import ProtocolViolationError, ViolationKind
from tests.simulator.world import World

Handler = Callable[[World, Connection, Node], None]

_TABLE: Final[Mapping[str, Handler]] = {
    "w:p/get/": session.on_ping,
    "passive/set/active": session.on_active,
    "passive/set/passive": session.on_ok,
    "abt/get/props": session.on_props,
    "urn:xmpp:whatsapp:dirty/set/clean": session.on_ok,
    "urn:xmpp:whatsapp:push/set/config": session.on_ok,
    "encrypt/get/count": keys.on_count,
    "encrypt/set/registration": keys.on_upload,
    "encrypt/get/key": keys.on_fetch,
    "encrypt/get/digest": keys.on_digest,
    "encrypt/set/rotate": keys.on_rotate,
    "md/set/remove-companion-device": link.on_logout,
    "md/set/link_code_companion_reg": link.on_link_code,
    "usync/get/usync": people.on_usync,
    "w:profile:picture/get/picture": people.on_picture,
    "w:profile:picture/set/picture": people.on_set_picture,
    "privacy/get/privacy": people.on_privacy,
    "privacy/set/privacy": people.on_privacy,
    "privacy/set/tokens": session.on_ok,
    "blocklist/get/": people.on_blocklist,
    "blocklist/set/item": people.on_blocklist,
    "status/set/status": people.on_about,
    "status/get/privacy": people.on_status_privacy,
    "w:qr/set/qr": people.on_contact_link,
    "w:mex/get/query": mex.on_query,
    "newsletter/get/messages": mex.on_posts,
    "newsletter/set/live_updates": mex.on_live_updates,
    "disappearing_mode/set/disappearing_mode": session.on_ok,
    "w:m/set/media_conn": media.on_media_conn,
    "w:sync:app:state/set/sync": app_state.on_sync,
    "w:g2/set/create": group.on_create,
    "w:g2/get/participating": group.on_participating,
    "w:g2/set/leave": group.on_leave,
    "w:g2/get/query": group.on_query,
    "w:g2/set/add": group.on_participants,
    "w:g2/set/remove": group.on_participants,
    "w:g2/set/promote": group.on_participants,
    "w:g2/set/demote": group.on_participants,
    "w:g2/set/subject": group.on_subject,
    "w:g2/set/description": group.on_description,
    "w:g2/set/announcement": group.on_flag,
    "w:g2/set/not_announcement": group.on_flag,
    "w:g2/set/locked": group.on_flag,
    "w:g2/set/unlocked": group.on_flag,
    "w:g2/set/ephemeral": group.on_ephemeral,
    "w:g2/set/not_ephemeral": group.on_ephemeral,
    "w:g2/get/sub_groups": community.on_sub_groups,
    "w:g2/get/linked_groups_participants": community.on_linked_participants,
    "w:g2/set/links": community.on_link,
    "w:g2/set/unlink": community.on_unlink,
    "w:g2/get/membership_approval_requests": community.on_membership_requests,
    "w:g2/set/accept": group.on_accept,
    "w:g2/get/invite": group.on_invite,
    "w:g2/set/invite": group.on_invite,
}


def handle_iq(world: World, connection: Connection, iq: Node) -> None:
    """Answer one request; an unknown one is refused and recorded."""
    first = iq.children[0].tag if iq.children else ""
    key = f"{iq.text('xmlns')}/{iq.text('type')}/{first}"
    refusal = world.faults.refused_requests.get(key)
    if refusal:
        connection.refuse(iq, *refusal)
        return
    handler = _TABLE.get(key)
    if handler is None:
        error = ProtocolViolationError(ViolationKind.UNKNOWN_REQUEST, key, str(iq))
        world.trace.violate(error, peer=connection.name, stanza=iq)
        connection.refuse(iq, 501, "feature-not-implemented")
        return
    handler(world, connection, iq)
