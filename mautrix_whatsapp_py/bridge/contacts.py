"""The contacts of an account as people look for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mautrix_whatsapp_py.ids import USER_SERVER, LoginId
from mautrix_whatsapp_py.model.wa_directory import WaContact

MIN_DIGITS = 4
"""Fewer match too many numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Somebody with a name and a number."""

    name: str
    number: str


def find_contacts(contacts: Iterable[WaContact], *, own: LoginId, query: str) -> list[Contact]:
    """One per person, in alphabetical order; people whose number is hidden are nobody's contacts."""
    best: dict[str, str] = {}
    for contact in contacts:
        number = contact.jid.user
        if contact.jid.server == USER_SERVER and number != own and contact.name:
            best[number] = contact.name if contact.full_name else best.get(number) or contact.name
    wanted = query.casefold()
    digits = "".join(character for character in wanted if character.isdigit())
    found = [
        Contact(name=name, number=number)
        for number, name in best.items()
        if wanted in name.casefold() or (len(digits) >= MIN_DIGITS and digits in number)
    ]
    return sorted(found, key=lambda contact: (contact.name.casefold(), contact.number))
