"""Mentions: `@digits` and a list of addresses on WhatsApp, pills and `m.mentions` on Matrix.

Both ways a text is cut into tokens once and each whole token is looked up, so that `@12` never
touches `@123`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote, unquote

from mautrix_whatsapp_py.convert.text import clean_name
from mautrix_whatsapp_py.ids import MxUserId, WaJid
from mautrix_whatsapp_py.model.content import MxMentions
from mautrix_whatsapp_py.model.people import MxPerson

Named: TypeAlias = Mapping[str, MxPerson]
"""Who is meant by the digits after an `@`."""
Addressed: TypeAlias = Mapping[MxUserId, WaJid]
"""How a chat addresses the users one may mention in it."""

_USER_ID = re.compile(r"@[^\s@:]+:[^\s@]+")
_AFTER_USER_ID = ".,;:!?)]}>'\"*_~"
_PERMALINKS = ("https://matrix.to/#/", "http://matrix.to/#/")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaMarkup:
    """A text in WhatsApp's markup and whom it mentions."""

    text: str
    mentions: frozenset[WaJid] = frozenset()


def name_mentions(mentions: Iterable[WaJid], people: Mapping[WaJid, MxPerson]) -> Named:
    """Index the people a message mentions by what stands in its text."""
    # Sorted, so that two addresses with the same digits give the same answer every time.
    return {jid.user: people[jid.bare] for jid in sorted(mentions, reverse=True) if jid.bare in people}


def notify(mentions: Iterable[WaJid], people: Mapping[WaJid, MxPerson]) -> frozenset[MxUserId]:
    """The users behind the addresses."""
    return frozenset(people[jid.bare].user_id for jid in mentions if jid.bare in people)


def encode_pill(person: MxPerson) -> str:
    """The link clients show as a pill."""
    name = html.escape(clean_name(person.name) or person.user_id, quote=False)
    return f'<a href="https://matrix.to/#/{quote(person.user_id, safe="@:")}">{name}</a>'


def decode_pill(href: str) -> MxUserId | None:
    """The user a link stands for, if it stands for one."""
    target = _permalink_target(href)
    user = unquote(target)
    # A slash of a user id is escaped; a bare one leads on to an event.
    is_user = user.startswith("@") and ":" in user and "/" not in target
    return MxUserId(user) if is_user else None


def is_permalink(href: str) -> bool:
    """Whether the link leads to something on Matrix."""
    return href.startswith((*_PERMALINKS, "matrix:"))


def find_user_ids(body: str) -> frozenset[MxUserId]:
    """The user ids written out in a text."""
    return frozenset(MxUserId(token.rstrip(_AFTER_USER_ID)) for token in _USER_ID.findall(body))


def replace_user_ids(body: str, addressed: Addressed) -> WaMarkup:
    """Turn written-out user ids into mentions, where the chat knows the user."""
    found: set[WaJid] = set()

    def replace(match: re.Match[str]) -> str:
        token = match[0]
        user_id = token.rstrip(_AFTER_USER_ID)
        jid = addressed.get(MxUserId(user_id))
        if jid is None:
            return token
        found.add(jid.bare)
        return f"@{jid.user}{token[len(user_id) :]}"

    text = _USER_ID.sub(replace, body) if addressed else body
    return WaMarkup(text=text, mentions=frozenset(found))


def allowed(addressed: Addressed, mentions: MxMentions | None) -> Addressed:
    """Only the users whom the writer meant to notify; old clients do not say, and mean every pill."""
    if mentions is None:
        return addressed
    return {user: jid for user, jid in addressed.items() if user in mentions.users}


def _permalink_target(href: str) -> str:
    if href.startswith("matrix:u/"):
        return "@" + href[len("matrix:u/") :].partition("?")[0]
    for prefix in _PERMALINKS:
        if href.startswith(prefix):
            return href[len(prefix) :].partition("?")[0]
    return ""
