"""Stable names of chats: one parser and one printer that round-trip."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import GROUP_SERVER, LID_SERVER, USER_SERVER, WaJid, decode_jid

CHANNEL_ID = "whatsapp-personal"
ALIASES = frozenset({CHANNEL_ID, "whatsapp-web", "wa-personal", "whatsapp-personal-bridge"})
DEFAULT_ACCOUNT = "default"
MIN_DIGITS, MAX_DIGITS = 7, 15

_ACCOUNT = re.compile(r"[a-z0-9_-]{1,32}")
_SEPARATORS = re.compile(r"[\s\-.()]+")
_GROUP = re.compile(r"\d{5,32}(?:-\d{5,32})?")
_CONTACT_SERVERS = (USER_SERVER, LID_SERVER)
EXAMPLE = "whatsapp-personal:default:contact:+14155550001"


class TargetKind(StrEnum):
    """What a target names."""

    CONTACT = "contact"
    GROUP = "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A chat of an account."""

    account: str
    kind: TargetKind
    chat: WaJid


def parse_account_id(text: str) -> str:
    """An account's id in its one spelling; CommandError says what is wrong."""
    account = text.lower()
    if not _ACCOUNT.fullmatch(account):
        raise CommandError("An account's name has 1 to 32 letters, digits, - or _.")
    return account


def get_default_account(accounts: frozenset[str]) -> str | None:
    """The account meant when none is named."""
    if DEFAULT_ACCOUNT in accounts:
        return DEFAULT_ACCOUNT
    return min(accounts, default=None)


def parse_target(text: str, *, account: str | None) -> Target:
    """Read a target; the short form takes the selected account. CommandError says what is wrong."""
    channel, _, rest = text.partition(":")
    if channel in ALIASES:
        named, has_account, rest = rest.partition(":")
        if not has_account:
            raise CommandError(f"The target is incomplete. Write it as {EXAMPLE}.")
        return _parse_route(rest, account=parse_account_id(named))
    if account is None:
        raise CommandError(f"The target names no account. Write it as {EXAMPLE}.")
    return _parse_route(text, account=account)


def _parse_route(text: str, *, account: str) -> Target:
    kind, has_id, name = text.partition(":")
    if not has_id or kind not in list(TargetKind):
        raise CommandError("A target names a contact: or a group:, as in contact:+14155550001.")
    found = TargetKind(kind)
    chat = _parse_contact(name) if found is TargetKind.CONTACT else _parse_group(name)
    return Target(account=account, kind=found, chat=chat)


def _parse_contact(name: str) -> WaJid:
    if "@" not in name:
        return WaJid(user=parse_number(name), server=USER_SERVER)
    chat = _parse_address(name)
    if chat.server not in _CONTACT_SERVERS or not chat.user.isascii() or not chat.user.isdigit():
        raise CommandError("That is no contact's address. Write the number with its country code.")
    return chat


def _parse_group(name: str) -> WaJid:
    chat = _parse_address(name if "@" in name else f"{name}@{GROUP_SERVER}")
    if chat.server != GROUP_SERVER or not _GROUP.fullmatch(chat.user):
        raise CommandError("That is no group's address. It looks like 120363041234567890@g.us.")
    return chat


def _parse_address(text: str) -> WaJid:
    try:
        return decode_jid(text).bare
    except ValueError:
        raise CommandError("That is no WhatsApp address.") from None


def parse_number(text: str) -> str:
    """The digits of an international number; CommandError says what is wrong."""
    number = _SEPARATORS.sub("", text).removeprefix("+")
    if not number or not number.isascii() or not number.isdigit():
        raise CommandError("A phone number has only digits, as in +14155550001.")
    if number.startswith("0"):
        raise CommandError("That number begins with 0, so its country code is missing.")
    if not MIN_DIGITS <= len(number) <= MAX_DIGITS:
        size = "short" if len(number) < MIN_DIGITS else "long"
        raise CommandError(f"That number is too {size}. Write it as +14155550001.")
    return number


def print_target(target: Target) -> str:
    """The full form, which parses to the same target."""
    return f"{CHANNEL_ID}:{target.account}:{target.kind}:{print_chat(target.chat)}"


def print_chat(chat: WaJid) -> str:
    """A chat's own part of a target: `+digits` for a known number, else the address."""
    return f"+{chat.user}" if chat.server == USER_SERVER else str(chat.bare)
