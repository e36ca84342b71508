"""What can be asked of the channel: the same for HTTP, the command line and assistants."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from mautrix_whatsapp_py.bridge.persons import Persons, is_person
from mautrix_whatsapp_py.channel.accounts import Account, Accounts
from mautrix_whatsapp_py.channel.attachments import Attachment, upload
from mautrix_whatsapp_py.channel.chunking import cut_text
from mautrix_whatsapp_py.channel.door import ChatDoor
from mautrix_whatsapp_py.channel.faults import ChannelFault, FaultKind, away, bad_request, not_allowed, unknown
from mautrix_whatsapp_py.channel.feed import Feed
from mautrix_whatsapp_py.channel.hooks import HookBook
from mautrix_whatsapp_py.channel.offers import Offers
from mautrix_whatsapp_py.channel.policy import Facts, is_chat_allowed, is_self_chat_mode
from mautrix_whatsapp_py.channel.quotes import Known, require_known
from mautrix_whatsapp_py.channel.sender import Done, Order, Sender, fingerprint_of
from mautrix_whatsapp_py.channel.targets import parse_account_id, parse_target
from mautrix_whatsapp_py.channel.texts import with_prefix
from mautrix_whatsapp_py.channel.watch import Watch
from mautrix_whatsapp_py.errors import CommandError, WhatsAppError, WhatsAppRefused
from mautrix_whatsapp_py.ids import USER_SERVER, LoginId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import WaContext, WaMessageRef, WaReaction, WaSendable, WaText
from mautrix_whatsapp_py.model.media import WaMedia
from mautrix_whatsapp_py.model.rich import WaPoll
from mautrix_whatsapp_py.model.wa_directory import WaContact, WaGroupBrief
from mautrix_whatsapp_py.model.wa_link import WaState
from mautrix_whatsapp_py.ports import Clock, WhatsAppNetwork
from mautrix_whatsapp_py.ports_chats import OpenDirectory, WhatsAppDirectory
from mautrix_whatsapp_py.store.store import Store

_Answer = TypeVar("_Answer")
MAX_TEXT = 65_536
WARNING = "(A file was left out here: {why})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A chat of an account that may be touched, and the link that reaches it."""

    account: Account
    login: LoginId
    chat: WaJid
    is_self_chat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What somebody wants sent."""

    text: str = ""
    reply_to: str = ""
    key: str = ""
    attachment: Attachment | None = None
    attachment_id: str = ""
    """What names the file, the same when the same is asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDeps:
    """What the channel works with."""

    store: Store
    network: WhatsAppNetwork
    persons: Persons
    accounts: Accounts
    feed: Feed
    sender: Sender
    offers: Offers
    hooks: HookBook
    watch: Watch
    door: ChatDoor
    open_directory: OpenDirectory
    clock: Clock
    folder: Path
    """Where files under way lie."""
    owns_links: bool = False
    """Whether links are the channel's to end, not those of Matrix users."""


class Channel:
    """The use cases. Everything raises ChannelFault, and StoreUnavailable while the database is away."""

    def __init__(self, deps: ChannelDeps) -> None:
        self.deps = deps

    def require_account(self, name: str | None) -> Account:
        """The account that is meant."""
        accounts = self.deps.accounts
        wanted = accounts.default if not name else _read_account(name)
        account = None if wanted is None else accounts.get(wanted)
        if account is None:
            raise unknown("There is no account of that name.")
        return account

    def require_login(self, account: Account) -> LoginId:
        """The link of an account."""
        login = self.deps.accounts.login_of(account)
        if login is None:
            raise ChannelFault(
                FaultKind.NOT_LINKED,
                f"The account {account.name} is not linked to WhatsApp. Link it first.",
            )
        return login

    async def logout(self, account: Account) -> bool:
        """Unlink an account and delete its credentials; False when the phone could not be told."""
        if not self.deps.owns_links:
            raise not_allowed("The link belongs to a Matrix user. Send `logout` to the bridge's bot.")
        return await _ask(self.deps.network.logout(self.require_login(account)))

    def get_state(self, account: Account) -> WaState | None:
        """Where an account's link stands; None without one."""
        login = self.deps.accounts.login_of(account)
        client = None if login is None else self.deps.network.get_client(login)
        return None if client is None else client.state

    async def require_place(self, target: str, account: str | None = None) -> Place:
        """The chat that a target names, if the channel may touch it."""
        chosen = self.require_account(account) if account or ":" not in target else None
        default = chosen or self._get_default()
        try:
            read = parse_target(target, account=None if default is None else default.name)
        except CommandError as error:
            raise bad_request(error.text) from None
        if chosen is not None and read.account != chosen.name:
            raise bad_request("The target names another account.")
        found = self.require_account(read.account)
        login = self.require_login(found)
        person = await self.deps.persons.find(read.chat) if is_person(read.chat) else None
        number = person.pn or "" if person is not None else ""
        facts = Facts(
            chat=read.chat,
            sender=read.chat,
            sender_number=login,
            own_number=login,
            chat_number=number or (read.chat.user if read.chat.server == USER_SERVER else ""),
        )
        if not is_chat_allowed(facts, found.rules):
            raise not_allowed("This chat is not among the account's allowed_chat_ids.")
        # Messages are kept under the number, where there is one.
        chat = WaJid(user=number, server=USER_SERVER) if number else read.chat.bare
        return Place(account=found, login=login, chat=chat, is_self_chat=facts.chat_number == login)

    async def send(self, place: Place, letter: Letter) -> Done:
        """Send a text, a file or both."""
        if not letter.text.strip() and letter.attachment is None:
            raise bad_request("There is nothing to send: give a text or a file.")
        if len(letter.text) > MAX_TEXT:
            raise ChannelFault(FaultKind.TOO_LARGE, f"A text has at most {MAX_TEXT} characters.")
        words = (str(place.chat), letter.text, letter.reply_to, letter.attachment_id)
        order = Order(
            account=place.account,
            login=place.login,
            chat=place.chat,
            contents=(),
            fingerprint=fingerprint_of("send", *words),
            key=letter.key,
        )
        done = await self.deps.sender.get_done(order)
        if done is not None:
            return done
        self.deps.sender.require_client(place.login)
        contents = await self._compose(place, letter)
        return await self.deps.sender.send(replace(order, contents=contents))

    async def react(self, place: Place, message_id: str, emoji: str, *, key: str = "") -> Done:
        """React to a message; an empty emoji takes the reaction back."""
        if not place.account.keys.actions.reactions:
            raise not_allowed("Reactions are switched off for this account (actions.reactions).")
        if len(emoji) > 32 or (emoji.isascii() and emoji.strip()):
            raise bad_request("That is no emoji.")
        known = await self._require_known(place, message_id)
        target = WaMessageRef(chat=place.chat, message_id=known.message_id, sender=known.sender)
        content = WaReaction(target=target, emoji=emoji)
        fingerprint = fingerprint_of("react", str(place.chat), message_id, emoji)
        return await self.deps.sender.send(
            Order(
                account=place.account,
                login=place.login,
                chat=place.chat,
                contents=(content,),
                fingerprint=fingerprint,
                key=key,
            )
        )

    async def ask_poll(
        self, place: Place, question: str, options: Sequence[str], *, selectable: int = 1, key: str = ""
    ) -> Done:
        """Send a poll; 0 selectable options is any number of them."""
        if not place.account.keys.actions.polls:
            raise not_allowed("Polls are switched off for this account (actions.polls).")
        clean = tuple(option.strip() for option in options)
        if not question.strip() or not all(clean) or len(set(clean)) < len(clean) or selectable > len(clean):
            raise bad_request("A poll has a question and different options, and lets as many be chosen at most.")
        content = WaPoll(question=question.strip(), options=clean, selectable=selectable)
        words = (str(place.chat), question, str(selectable), *clean)
        return await self.deps.sender.send(
            Order(
                account=place.account,
                login=place.login,
                chat=place.chat,
                contents=(content,),
                fingerprint=fingerprint_of("poll", *words),
                key=key,
            )
        )

    async def mark_read(self, place: Place, message_ids: Sequence[str]) -> None:
        """Tell their senders that messages were read."""
        client = self.deps.sender.require_client(place.login)
        by_sender: dict[WaJid, list[WaMessageId]] = {}
        for message_id in message_ids:
            known = await self._require_known(place, message_id)
            by_sender.setdefault(known.sender, []).append(known.message_id)
        address = await self.deps.door.find_address(place.login, place.chat)
        for sender, ids in by_sender.items():
            await _ask(client.mark_read(address, sender, ids, at=self.deps.clock.now()))

    async def send_typing(self, place: Place, *, is_typing: bool, is_audio: bool = False) -> None:
        """Show that an answer is being written."""
        client = self.deps.sender.require_client(place.login)
        address = await self.deps.door.find_address(place.login, place.chat)
        await _ask(client.send_typing(address, is_typing=is_typing, is_audio=is_audio))

    async def fetch_contacts(self, account: Account) -> Sequence[WaContact]:
        """Everybody the account has heard of and may write to."""
        contacts = await _ask(self._require_directory(account).fetch_contacts())
        return [one for one in contacts if self._is_allowed(account, one.jid)]

    async def fetch_groups(self, account: Account) -> Sequence[WaGroupBrief]:
        """The account's groups that may be touched."""
        groups = await _ask(self._require_directory(account).fetch_groups())
        return [one for one in groups if self._is_allowed(account, one.jid)]

    def _is_allowed(self, account: Account, chat: WaJid) -> bool:
        number = chat.user if chat.server == USER_SERVER else ""
        login = self.deps.accounts.login_of(account) or LoginId("")
        facts = Facts(chat=chat.bare, sender=chat, sender_number="", own_number=login, chat_number=number)
        return is_chat_allowed(facts, account.rules)

    def _require_directory(self, account: Account) -> WhatsAppDirectory:
        login = self.require_login(account)
        self.deps.sender.require_client(login)
        directory = self.deps.open_directory(login)
        if directory is None:
            raise away("The account has no connection to WhatsApp now.")
        return directory

    def _get_default(self) -> Account | None:
        default = self.deps.accounts.default
        return None if default is None else self.deps.accounts.get(default)

    async def _require_known(self, place: Place, message_id: str) -> Known:
        return await require_known(
            self.deps.store, place.account, place.login, place.chat, WaMessageId(message_id)
        )

    async def _compose(self, place: Place, letter: Letter) -> tuple[WaSendable, ...]:
        keys = place.account.keys
        context = WaContext()
        if letter.reply_to:
            context = WaContext(quote=(await self._require_known(place, letter.reply_to)).to_quote())
        text = with_prefix(letter.text, _prefix_of(place)) if letter.text.strip() else ""
        texts: Sequence[str] = cut_text(text, limit=keys.text_chunk_limit, mode=keys.chunk_mode) if text else ()
        media = None
        if letter.attachment is not None:
            try:
                media = await self._upload(place, letter.attachment)
            except ChannelFault as fault:
                if fault.kind is not FaultKind.TOO_LARGE or not texts:
                    raise
                # The words still count: a reply is not dropped because its file does not fit.
                texts = (*texts, WARNING.format(why=fault.text))
        contents: list[WaSendable] = []
        if media is not None:
            # Words that need several messages follow the file; few of them are its caption.
            caption, texts = (texts[0], ()) if len(texts) == 1 else ("", texts)
            contents.append(msgspec.structs.replace(media, caption=caption, context=context))
            context = WaContext()
        for one in texts:
            contents.append(WaText(body=one, context=context))
            context = WaContext()
        return tuple(contents)

    async def _upload(self, place: Place, attachment: Attachment) -> WaMedia:
        client = self.deps.sender.require_client(place.login)
        max_mb = place.account.keys.outbound_media_max_mb
        return await upload(attachment, client, max_mb=max_mb, folder=self.deps.folder)


def _prefix_of(place: Place) -> str | None:
    keys = place.account.keys
    if keys.response_prefix is None and place.is_self_chat and is_self_chat_mode(place.account.rules, place.login):
        return f"[{place.account.name}]"
    return keys.response_prefix


def _read_account(name: str) -> str:
    try:
        return parse_account_id(name)
    except CommandError as error:
        raise bad_request(error.text) from None


async def _ask(call: Coroutine[Any, Any, _Answer]) -> _Answer:
    try:
        return await call
    except WhatsAppRefused:
        raise not_allowed("WhatsApp refused that.") from None
    except WhatsAppError:
        raise away("WhatsApp did not answer. Try again.") from None
