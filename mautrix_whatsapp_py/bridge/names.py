"""How ghosts are called and what their rooms are found by; the same every time it is asked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from mautrix_whatsapp_py.config.name_template import DEFAULT_TEMPLATE, NameTemplate, decode_template
from mautrix_whatsapp_py.ids import LoginId, MxTxnId, MxUserId, PersonId, WaMessageId
from mautrix_whatsapp_py.model.people import NameRank, Person
from mautrix_whatsapp_py.model.portal import Portal

GHOST_PLACE = "{{.}}"
USUAL = decode_template(DEFAULT_TEMPLATE)
NOBODY = "WhatsApp user"
_DIGEST = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class GhostNames:
    """Makes the user ids of ghosts and the aliases of their rooms."""

    template: str
    """The user name of a ghost, with a place for the person."""
    domain: str

    def ghost(self, *, pn: str | None, lid: str | None) -> MxUserId:
        """The user id of somebody who gets one now."""
        return MxUserId(f"@{self.template.replace(GHOST_PLACE, pn or f'lid-{lid}')}:{self.domain}")

    def number(self, ghost: MxUserId) -> str | None:
        """The phone number in the user id of somebody whom nobody may have met yet."""
        before, _, after = f"@{self.template}:{self.domain}".partition(GHOST_PLACE)
        is_ours = ghost.startswith(before) and ghost.endswith(after)
        digits = ghost.removeprefix(before).removesuffix(after) if is_ours else ""
        return digits if digits.isascii() and digits.isdecimal() else None

    def alias(self, chat: str, receiver: LoginId | None) -> str:
        """Localpart of a room's alias: digested, because aliases are seen by strangers and hold numbers."""
        digest = hashlib.sha256(f"{chat} {receiver or ''}".encode()).hexdigest()[:_DIGEST]
        return self.template.replace(GHOST_PLACE, f"chat-{digest}")


def shown_name(person: Person, template: NameTemplate = USUAL) -> str:
    """What a ghost is called."""
    is_business = person.name_rank is NameRank.BUSINESS
    push_name = "" if is_business or person.name_rank is NameRank.NONE else person.name
    business_name = person.name if is_business else ""
    values = {
        "BusinessName": business_name,
        "VName": business_name,
        "PushName": push_name,
        "Notify": push_name,
        "Phone": f"+{person.pn}" if person.pn else "",
        "JID": str(person.jid(is_lid_addressed=person.pn is None)),
    }
    return template.fill(values).strip() or NOBODY


def txn_from_wa(
    portal: Portal, message_id: WaMessageId, person_id: PersonId, *, part: int, purpose: str
) -> MxTxnId:
    """The transaction id of an event that a WhatsApp message comes to."""
    key = f"{portal.id} {message_id} {person_id} {part} {purpose}"
    return MxTxnId(f"wa-{hashlib.sha256(key.encode()).hexdigest()[:_DIGEST]}")
