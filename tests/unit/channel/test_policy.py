"""The policy: all combinations of policy, sender, chat, mention, reply and activation."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from mautrix_whatsapp_py.channel.policy import (
    Accept,
    Access,
    Facts,
    KeepAsContext,
    OfferPairing,
    Refusal,
    Refuse,
    Trigger,
    decide,
    is_acknowledged,
    is_own_context,
    is_self_chat_mode,
)
from mautrix_whatsapp_py.channel.settings import AccessRules, to_rules
from mautrix_whatsapp_py.config.channel import (
    AckGroups,
    AckReaction,
    Activation,
    ChannelAccount,
    DmPolicy,
    GroupPolicy,
    GroupRule,
)
from mautrix_whatsapp_py.ids import GROUP_SERVER, LID_SERVER, USER_SERVER, WaJid

OWN, ANNA, BEN, CARL = "14155550000", "14155550001", "14155550002", "14155550003"
GROUP = WaJid(user="120363041234567890", server=GROUP_SERVER)
SENDERS = {
    "listed": ANNA,
    "approved": BEN,
    "stranger": CARL,
    "own": OWN,
    "unknown number": "",
}


def direct(sender: str, *, own: str = OWN) -> Facts:
    chat = WaJid(user=sender, server=USER_SERVER) if sender else WaJid(user="99", server=LID_SERVER)
    return Facts(
        chat=chat, sender=chat, sender_number=sender, chat_number=sender, own_number=own, is_from_me=sender == own
    )


NOTHING = Trigger()


def in_group(sender: str, trigger: Trigger = NOTHING) -> Facts:
    jid = WaJid(user=sender or "99", server=USER_SERVER if sender else LID_SERVER)
    return Facts(
        chat=GROUP, sender=jid, sender_number=sender, own_number=OWN, is_from_me=sender == OWN, trigger=trigger
    )


DIRECT_TABLE = {
    # policy, allow_from: listed, approved, stranger, own, unknown number
    (DmPolicy.PAIRING, (ANNA,)): "accept accept offer own offer",
    (DmPolicy.PAIRING, ()): "offer accept offer accept offer",
    (DmPolicy.PAIRING, ("*",)): "accept accept accept accept accept",
    (DmPolicy.ALLOWLIST, (ANNA,)): "accept accept sender own sender",
    (DmPolicy.ALLOWLIST, ()): "sender accept sender accept sender",
    (DmPolicy.ALLOWLIST, ("*",)): "accept accept accept accept accept",
    (DmPolicy.OPEN, ("*",)): "accept accept accept accept accept",
    (DmPolicy.OPEN, ()): "sender sender sender own sender",
    (DmPolicy.DISABLED, (ANNA,)): "disabled disabled disabled disabled disabled",
    (DmPolicy.DISABLED, ("*",)): "disabled disabled disabled disabled disabled",
}
DIRECT = {
    "offer": OfferPairing(),
    "own": Refuse(reason=Refusal.OWN),
    "sender": Refuse(reason=Refusal.SENDER_NOT_ALLOWED),
    "disabled": Refuse(reason=Refusal.DM_DISABLED),
}


@pytest.mark.parametrize(("policy", "allow_from"), DIRECT_TABLE)
def test_direct_messages_follow_the_table(policy: DmPolicy, allow_from: tuple[str, ...]) -> None:
    rules = AccessRules(dm_policy=policy, allow_from=frozenset(allow_from))
    access = Access(rules=rules, approved=frozenset({BEN}))
    expected = DIRECT_TABLE[policy, allow_from].split()
    for (name, number), word in zip(SENDERS.items(), expected, strict=True):
        wanted = DIRECT.get(word, Accept(is_self_chat=number == OWN))
        assert decide(direct(number), access) == wanted, name


TRIGGERS = [
    Trigger(is_mentioned=mention, matches_pattern=pattern, answers_us=answer)
    for mention, pattern, answer in itertools.product((False, True), repeat=3)
]
GROUP_RULES = {
    "unset": None,
    "listed": {str(GROUP): GroupRule()},
    "listed, any message": {str(GROUP): GroupRule(require_mention=False)},
    "star, any message": {"*": GroupRule(require_mention=False)},
    "star but this one by mention": {
        "*": GroupRule(require_mention=False),
        str(GROUP): GroupRule(require_mention=True),
    },
    "others": {"120363049999999999@g.us": GroupRule()},
    "none": {},
}
ACTIVATIONS = [(base, chosen) for base in Activation for chosen in (None, *Activation)]


def expected_in_group(  # the contract, sentence by sentence, apart from the code under test
    *, policy: GroupPolicy, senders: frozenset[str] | None, groups: str, sender: str, wakes: bool, access: Access
) -> object:
    if groups in ("others", "none"):
        return Refuse(reason=Refusal.GROUP_NOT_LISTED)
    if policy is GroupPolicy.DISABLED:
        return Refuse(reason=Refusal.GROUPS_DISABLED)
    listed = frozenset({ANNA}) if senders is None else senders
    if policy is GroupPolicy.ALLOWLIST and sender not in listed and "*" not in listed:
        return Refuse(reason=Refusal.SENDER_NOT_ALLOWED)
    if wakes:
        return Accept(is_triggered_by_mention=True)
    waits = {
        "unset": access.rules.activation is Activation.MENTION,
        "listed": access.rules.activation is Activation.MENTION,
        "listed, any message": False,
        "star, any message": False,
        "star but this one by mention": True,
    }[groups]
    if access.activation is not None:
        waits = access.activation is Activation.MENTION
    return KeepAsContext() if waits else Accept()


@pytest.mark.parametrize("policy", GroupPolicy)
@pytest.mark.parametrize("groups", GROUP_RULES)
def test_groups_follow_the_contract_in_every_combination(policy: GroupPolicy, groups: str) -> None:
    seen = 0
    sender_lists = [None, frozenset[str](), frozenset({CARL}), frozenset({"*"})]
    for senders, (base, chosen), sender, trigger in itertools.product(
        sender_lists, ACTIVATIONS, (ANNA, BEN, CARL, ""), TRIGGERS
    ):
        rules = AccessRules(
            group_policy=policy,
            allow_from=frozenset({ANNA}),
            group_allow_from=senders,
            groups=GROUP_RULES[groups],
            activation=base,
        )
        access = Access(rules=rules, approved=frozenset({BEN}), activation=chosen)
        wanted = expected_in_group(
            policy=policy, senders=senders, groups=groups, sender=sender, wakes=trigger.is_any, access=access
        )
        assert decide(in_group(sender, trigger), access) == wanted
        seen += 1
    assert seen == 4 * 6 * 4 * 8


def test_own_messages_in_groups_and_to_others_never_trigger() -> None:
    rules = AccessRules(group_policy=GroupPolicy.OPEN, dm_policy=DmPolicy.OPEN, allow_from=frozenset({"*"}))
    access = Access(rules=rules)
    assert decide(in_group(OWN, Trigger(is_mentioned=True)), access) == Refuse(reason=Refusal.OWN)
    to_anna = Facts(
        chat=WaJid(user=ANNA, server=USER_SERVER),
        sender=WaJid(user=OWN, server=USER_SERVER),
        sender_number=OWN,
        chat_number=ANNA,
        own_number=OWN,
        is_from_me=True,
    )
    assert decide(to_anna, access) == Refuse(reason=Refusal.OWN)


def test_what_the_channel_said_itself_never_comes_back() -> None:
    echo = replace(direct(OWN), is_echo=True)
    assert decide(echo, Access(rules=AccessRules())) == Refuse(reason=Refusal.OWN)


@pytest.mark.parametrize("server", ["broadcast", "newsletter", "bot", "call"])
def test_status_lists_and_newsletters_are_ignored(server: str) -> None:
    facts = Facts(
        chat=WaJid(user="status", server=server),
        sender=WaJid(user=ANNA, server=USER_SERVER),
        sender_number=ANNA,
        own_number=OWN,
    )
    assert decide(facts, Access(rules=AccessRules(allow_from=frozenset({"*"})))) == Refuse(
        reason=Refusal.NOT_A_CHAT
    )


@pytest.mark.parametrize(
    ("allowed", "chat_is_touched"),
    [(("*",), True), ((f"+{ANNA}",), True), ((f"{ANNA}@s.whatsapp.net",), True), ((), False), ((BEN,), False)],
)
def test_only_allowed_chats_are_touched(allowed: tuple[str, ...], chat_is_touched: bool) -> None:
    rules = to_rules(ChannelAccount(allowed_chat_ids=allowed, allow_from=("*",)))
    refused = Refuse(reason=Refusal.CHAT_NOT_ALLOWED)
    assert (decide(direct(ANNA), Access(rules=rules)) != refused) is chat_is_touched


def test_self_chat_mode_is_on_for_a_listed_own_number_unless_said_otherwise() -> None:
    assert is_self_chat_mode(AccessRules(allow_from=frozenset({OWN})), OWN)
    assert not is_self_chat_mode(AccessRules(allow_from=frozenset({ANNA})), OWN)
    assert not is_self_chat_mode(AccessRules(allow_from=frozenset({OWN}), self_chat_mode=False), OWN)
    assert is_self_chat_mode(AccessRules(self_chat_mode=True), OWN)


@pytest.mark.parametrize(
    ("ack", "facts", "mention", "activation", "shown"),
    [
        (None, direct(ANNA), False, None, False),
        (AckReaction(emoji=""), direct(ANNA), False, None, False),
        (AckReaction(emoji="👀"), direct(ANNA), False, None, True),
        (AckReaction(emoji="👀", direct=False), direct(ANNA), False, None, False),
        (AckReaction(emoji="👀"), in_group(ANNA), True, None, True),
        (AckReaction(emoji="👀"), in_group(ANNA), False, None, False),
        (AckReaction(emoji="👀"), in_group(ANNA), False, Activation.ALWAYS, True),
        (AckReaction(emoji="👀", group=AckGroups.NEVER), in_group(ANNA), True, None, False),
        (AckReaction(emoji="👀", group=AckGroups.ALWAYS), in_group(ANNA), False, None, True),
    ],
)
def test_acceptance_is_shown_where_it_is_asked_for(
    ack: AckReaction | None, facts: Facts, mention: bool, activation: Activation | None, shown: bool
) -> None:
    access = Access(rules=AccessRules(), activation=activation)
    assert is_acknowledged(ack, facts, Accept(is_triggered_by_mention=mention), access) is shown


@pytest.mark.parametrize(("policy", "allow_from"), DIRECT_TABLE)
def test_in_direct_chats_neither_mention_nor_reply_nor_activation_counts(
    policy: DmPolicy, allow_from: tuple[str, ...]
) -> None:
    rules = to_rules(ChannelAccount(dm_policy=policy, allow_from=allow_from))
    plain = Access(rules=rules, approved=frozenset({BEN}))
    seen = 0
    for sender, trigger, (base, chosen), group_policy in itertools.product(
        SENDERS.values(), TRIGGERS, ACTIVATIONS, GroupPolicy
    ):
        access = replace(
            plain, rules=replace(rules, activation=base, group_policy=group_policy), activation=chosen
        )
        assert decide(replace(direct(sender), trigger=trigger), access) == decide(direct(sender), plain)
        seen += 1
    assert seen == 5 * 8 * 6 * 3


HEARD = AccessRules(allow_from=frozenset({ANNA}))
OWN_CASES = {
    "to somebody who is heard": (
        replace(direct(OWN), chat_number=ANNA),
        AccessRules(allow_from=frozenset({ANNA})),
    ),
    "to somebody who is not": (replace(direct(OWN), chat_number=CARL), HEARD),
    "in a group": (in_group(OWN), AccessRules()),
    "in a group that is not listed": (in_group(OWN), AccessRules(groups={})),
    "where groups are not heard": (in_group(OWN), AccessRules(group_policy=GroupPolicy.DISABLED)),
    "where nobody is heard": (
        replace(direct(OWN), chat_number=ANNA),
        AccessRules(allow_from=frozenset({ANNA}), dm_policy=DmPolicy.DISABLED),
    ),
    "in a chat that is not touched": (in_group(OWN), AccessRules(allowed_chat_ids=frozenset())),
    "by the channel itself": (replace(in_group(OWN), is_echo=True), AccessRules()),
    "to itself": (direct(OWN), AccessRules()),
    "by somebody else": (in_group(ANNA), AccessRules()),
}


@pytest.mark.parametrize("name", OWN_CASES)
def test_own_words_are_context_where_others_are_heard(name: str) -> None:
    facts, rules = OWN_CASES[name]
    assert is_own_context(facts, Access(rules=rules)) is (name in ("to somebody who is heard", "in a group"))
