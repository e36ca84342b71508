"""Messages that others are about: who wrote them, under the address their chat knows."""

from __future__ import annotations

from dataclasses import dataclass

from mautrix_whatsapp_py.channel.accounts import Account
from mautrix_whatsapp_py.channel.faults import unknown
from mautrix_whatsapp_py.ids import USER_SERVER, LoginId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import WaPreview, WaQuote
from mautrix_whatsapp_py.store.channel_access import ChannelSendRows
from mautrix_whatsapp_py.store.channel_items import ItemRows
from mautrix_whatsapp_py.store.store import Store, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A message, who wrote it and what it says as far as that is kept."""

    message_id: WaMessageId
    sender: WaJid
    is_own: bool
    text: str = ""

    def to_quote(self) -> WaQuote:
        """How a reply names it."""
        return WaQuote(message_id=self.message_id, sender=self.sender, preview=WaPreview(text=self.text))


async def require_known(
    store: Store, account: Account, login: LoginId, chat: WaJid, message_id: WaMessageId
) -> Known:
    """A message of a chat; ChannelFault when the channel never saw it."""
    found = await store.read(lambda tx: _find(tx, account.name, login, chat, message_id))
    if found is not None:
        return found
    raise unknown("The channel knows no message of that id in that chat.")


async def _find(tx: Tx, account: str, login: LoginId, chat: WaJid, message_id: WaMessageId) -> Known | None:
    items = ItemRows()
    sender = await items.get_sender(tx, account, chat, message_id)
    if sender is not None:
        text = await items.get_text(tx, account, chat, message_id)
        return Known(message_id=message_id, sender=sender, is_own=sender.user == login, text=text)
    if await ChannelSendRows().has_sent(tx, account, chat, message_id):
        return Known(message_id=message_id, sender=WaJid(user=login, server=USER_SERVER), is_own=True)
    return None
