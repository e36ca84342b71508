"""A message, the account that takes it and who is in it."""

from __future__ import annotations

from dataclasses import dataclass

from mautrix_whatsapp_py.bridge.persons import Persons, is_person
from mautrix_whatsapp_py.channel.accounts import Account
from mautrix_whatsapp_py.channel.activation import find_trigger
from mautrix_whatsapp_py.channel.policy import Facts, is_self_chat_mode
from mautrix_whatsapp_py.channel.reading import Reading, read_quote
from mautrix_whatsapp_py.channel.texts import Quoted, Speaker
from mautrix_whatsapp_py.ids import USER_SERVER, LoginId, WaJid
from mautrix_whatsapp_py.model.content import WaQuote
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.wa import WaMessage, WaSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that is to be known to decide about a message."""

    account: Account
    login: LoginId
    event: WaMessage
    reading: Reading
    speaker: Speaker
    facts: Facts
    quoted: Quoted | None

    @property
    def chat(self) -> WaJid:
        """The chat as readers know it: by number, where there is one."""
        facts = self.facts
        return WaJid(user=facts.chat_number, server=USER_SERVER) if facts.chat_number else facts.chat


async def set_scene(
    account: Account, login: LoginId, event: WaMessage, reading: Reading, persons: Persons, *, is_echo: bool
) -> Scene:
    """Find out who everybody is. Raises StoreUnavailable."""
    source = event.source
    sender = await persons.resolve(source.sender, source.sender_alt) if is_person(source.sender) else None
    partner = await _find_partner(source, persons)
    own = await persons.find(WaJid(user=login, server=USER_SERVER))
    quote = reading.context.quote
    number = login if source.is_from_me else _number_of(sender)
    facts = Facts(
        chat=source.chat.bare,
        sender=source.sender.bare,
        sender_number=number,
        chat_number=_number_of(partner),
        own_number=login,
        is_from_me=source.is_from_me,
        is_echo=is_echo,
        trigger=find_trigger(
            text=reading.plain,
            mentions=reading.context.mentions,
            quoted_sender=None if quote is None else quote.sender,
            own=frozenset({WaJid(user=login, server=USER_SERVER), *(own.jids if own is not None else ())}),
            patterns=account.patterns,
            ignores_mentions=is_self_chat_mode(account.rules, login),
        ),
    )
    return Scene(
        account=account,
        login=login,
        event=event,
        reading=reading,
        speaker=Speaker(name=event.push_name or (sender.name if sender is not None else ""), number=number),
        facts=facts,
        quoted=None if quote is None else await _read_quote(quote, login, persons),
    )


async def _find_partner(source: WaSource, persons: Persons) -> Person | None:
    if not is_person(source.chat):
        return None
    alternate = source.recipient_alt if source.is_from_me else source.sender_alt
    return await persons.resolve(source.chat, alternate)


async def _read_quote(quote: WaQuote, login: LoginId, persons: Persons) -> Quoted:
    author = await persons.find(quote.sender) if is_person(quote.sender) else None
    if author is not None:
        return read_quote(quote, Speaker(name=author.name, number=author.pn or ""))
    is_number = quote.sender.server == USER_SERVER
    return read_quote(quote, Speaker(number=quote.sender.user if is_number else ""))


def _number_of(person: Person | None) -> str:
    return "" if person is None else person.pn or ""
