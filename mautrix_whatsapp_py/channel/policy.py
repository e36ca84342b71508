"""Who is heard: what becomes of a message, decided from facts alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, assert_never

from mautrix_whatsapp_py.channel.settings import AccessRules
from mautrix_whatsapp_py.config.channel import (
    EVERYBODY,
    AckGroups,
    AckReaction,
    Activation,
    DmPolicy,
    GroupPolicy,
)
from mautrix_whatsapp_py.ids import GROUP_SERVER, LID_SERVER, USER_SERVER, WaJid


class Refusal(StrEnum):
    """Why a message is not delivered."""

    NOT_A_CHAT = "not-a-chat"
    CHAT_NOT_ALLOWED = "chat-not-allowed"
    OWN = "own"
    DM_DISABLED = "dm-disabled"
    SENDER_NOT_ALLOWED = "sender-not-allowed"
    GROUPS_DISABLED = "groups-disabled"
    GROUP_NOT_LISTED = "group-not-listed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What about a group message could wake the reader."""

    is_mentioned: bool = False
    matches_pattern: bool = False
    answers_us: bool = False

    @property
    def is_any(self) -> bool:
        return self.is_mentioned or self.matches_pattern or self.answers_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the policy looks at; numbers are digits, the sender's is empty when it is not known."""

    chat: WaJid
    sender: WaJid
    sender_number: str
    own_number: str
    chat_number: str = ""
    """Whose chat it is, in direct chats."""
    is_from_me: bool = False
    is_echo: bool = False
    """We sent it through the channel."""
    trigger: Trigger = Trigger()

    @property
    def is_self_chat(self) -> bool:
        """Whether the account writes to itself."""
        return (
            bool(self.own_number) and self.chat_number == self.own_number and self.sender_number == self.own_number
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The rules of an account with what people granted since."""

    rules: AccessRules
    approved: frozenset[str] = frozenset()
    activation: Activation | None = None
    """Chosen for this chat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """Deliver it."""

    is_self_chat: bool = False
    is_triggered_by_mention: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferPairing:
    """Do not deliver; tell the sender how to be let in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAsContext:
    """Nobody was addressed: keep it for the message that does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Not delivered."""

    reason: Refusal


Decision: TypeAlias = Accept | OfferPairing | KeepAsContext | Refuse


def decide(facts: Facts, access: Access) -> Decision:
    """What becomes of a message."""
    if facts.chat.server not in (USER_SERVER, LID_SERVER, GROUP_SERVER):
        return Refuse(reason=Refusal.NOT_A_CHAT)
    if not is_chat_allowed(facts, access.rules):
        return Refuse(reason=Refusal.CHAT_NOT_ALLOWED)
    if facts.is_echo or (facts.is_from_me and not facts.is_self_chat):
        return Refuse(reason=Refusal.OWN)
    if facts.chat.server == GROUP_SERVER:
        return _decide_group(facts, access)
    return _decide_direct(facts, access)


def is_own_context(facts: Facts, access: Access) -> bool:
    """Whether a message that the account itself wrote elsewhere is context for its chat's next one."""
    if not facts.is_from_me or facts.is_echo or facts.is_self_chat or not is_chat_allowed(facts, access.rules):
        return False
    if facts.chat.server == GROUP_SERVER:
        return _refuse_group(facts, access.rules) is None
    if facts.chat.server not in (USER_SERVER, LID_SERVER) or access.rules.dm_policy is DmPolicy.DISABLED:
        return False
    return _is_listed(facts.chat_number, _direct_senders(facts, access))


def is_chat_allowed(facts: Facts, rules: AccessRules) -> bool:
    """Whether the channel may touch a chat at all."""
    allowed = rules.allowed_chat_ids
    names = {EVERYBODY, str(facts.chat), facts.chat_number} - {""}
    return not names.isdisjoint(allowed)


def _decide_direct(facts: Facts, access: Access) -> Decision:
    allowed = _direct_senders(facts, access)
    match access.rules.dm_policy:
        case DmPolicy.DISABLED:
            return Refuse(reason=Refusal.DM_DISABLED)
        case DmPolicy.OPEN:
            is_known = EVERYBODY in access.rules.allow_from
        case DmPolicy.ALLOWLIST | DmPolicy.PAIRING:
            is_known = _is_listed(facts.sender_number, allowed)
        case never:
            assert_never(never)
    if is_known:
        return Accept(is_self_chat=facts.is_self_chat)
    if access.rules.dm_policy is DmPolicy.PAIRING and not facts.is_from_me:
        return OfferPairing()
    return Refuse(reason=Refusal.OWN if facts.is_from_me else Refusal.SENDER_NOT_ALLOWED)


def _direct_senders(facts: Facts, access: Access) -> frozenset[str]:
    """Approvals add to what is written; with nothing written the account itself is let in."""
    own = frozenset() if access.rules.allow_from else frozenset({facts.own_number} - {""})
    return access.rules.allow_from | access.approved | own


def _is_listed(number: str, allowed: frozenset[str]) -> bool:
    return EVERYBODY in allowed or (bool(number) and number in allowed)


def _decide_group(facts: Facts, access: Access) -> Decision:
    rules = access.rules
    refusal = _refuse_group(facts, rules)
    if refusal is not None:
        return refusal
    if rules.group_policy is GroupPolicy.ALLOWLIST and not _is_listed(
        facts.sender_number, _group_senders(facts, access)
    ):
        return Refuse(reason=Refusal.SENDER_NOT_ALLOWED)
    if facts.trigger.is_any:
        return Accept(is_triggered_by_mention=True)
    return KeepAsContext() if needs_trigger(facts.chat, access) else Accept()


def _refuse_group(facts: Facts, rules: AccessRules) -> Refuse | None:
    """Why nobody is heard in a group, if so."""
    group = str(facts.chat)
    if rules.groups is not None and group not in rules.groups and EVERYBODY not in rules.groups:
        return Refuse(reason=Refusal.GROUP_NOT_LISTED)
    if rules.group_policy is GroupPolicy.DISABLED:
        return Refuse(reason=Refusal.GROUPS_DISABLED)
    return None


def _group_senders(facts: Facts, access: Access) -> frozenset[str]:
    """Approvals are for direct chats only: being let in there lets nobody command a group."""
    rules = access.rules
    if rules.group_allow_from is not None:
        return rules.group_allow_from
    return rules.allow_from or frozenset({facts.own_number} - {""})


def needs_trigger(group: WaJid, access: Access) -> bool:
    """Whether a group is to be addressed: what was chosen there, else its rule, else the account's."""
    if access.activation is not None:
        return access.activation is Activation.MENTION
    listed = access.rules.groups or {}
    for name in (str(group), EVERYBODY):
        if name in listed and (chosen := listed[name].require_mention) is not None:
            return chosen
    return access.rules.activation is Activation.MENTION


def is_self_chat_mode(rules: AccessRules, own_number: str) -> bool:
    """Whether the safeguards for a personal number are on."""
    if rules.self_chat_mode is not None:
        return rules.self_chat_mode
    return bool(own_number) and own_number in rules.allow_from


def is_acknowledged(ack: AckReaction | None, facts: Facts, accepted: Accept, access: Access) -> bool:
    """Whether acceptance is shown by a reaction."""
    if ack is None or not ack.emoji:
        return False
    if facts.chat.server != GROUP_SERVER:
        return ack.direct
    match ack.group:
        case AckGroups.ALWAYS:
            return True
        case AckGroups.NEVER:
            return False
        case AckGroups.MENTIONS:
            return accepted.is_triggered_by_mention or not needs_trigger(facts.chat, access)
        case never:
            assert_never(never)
