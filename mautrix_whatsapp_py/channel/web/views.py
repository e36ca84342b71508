"""Items as readers are given them."""

from __future__ import annotations

from mautrix_whatsapp_py.channel.feed import to_cursor
from mautrix_whatsapp_py.channel.targets import Target, TargetKind, print_chat, print_target
from mautrix_whatsapp_py.channel.web import shapes
from mautrix_whatsapp_py.ids import USER_SERVER, WaJid
from mautrix_whatsapp_py.model.channel import ChannelItem


def to_target(account: str, chat: WaJid) -> str:
    """The full name of a chat."""
    kind = TargetKind.GROUP if chat.is_group else TargetKind.CONTACT
    return print_target(Target(account=account, kind=kind, chat=chat))


def to_item(item: ChannelItem, *, base_url: str) -> shapes.Item:
    """An item of the contract."""
    body, cursor = item.body, to_cursor(item.seq)
    sender = f"+{body.sender_number}" if body.sender_number else body.sender
    return shapes.Item(
        session=shapes.Session(
            configured_account_id=item.account,
            account_id=item.account,
            conversation_id=print_chat(item.chat),
            participant_id=sender,
            session_key=body.session_key,
        ),
        reply_target=shapes.ReplyTarget(
            id=to_target(item.account, item.chat), options={"reply_to": item.message_id}
        ),
        text=body.text,
        delivery=shapes.Delivery(
            ack_cursor=cursor,
            source_message_id=item.message_id,
            sender_principal_key=sender,
            parent_message_id=body.reply_to_id or None,
            resources=[
                shapes.Resource(
                    kind=file.kind,
                    mime=file.mime,
                    size=file.size,
                    name=file.name,
                    url=f"{base_url}/v1/media/{cursor}/{index}",
                )
                for index, file in enumerate(body.files)
            ],
        ),
        sender_name=body.sender_name,
        sent_at=body.sent_at,
        is_group=body.is_group,
        reply_to_id=body.reply_to_id or None,
        reply_to_body=body.reply_to_body or None,
        reply_to_sender=f"+{body.reply_to_sender}" if body.reply_to_sender else None,
    )


def is_allowed(item: ChannelItem, allowed: frozenset[str]) -> bool:
    """Whether a reader that may see these chats may see an item."""
    number = item.chat.user if item.chat.server == USER_SERVER else ""
    return not {"*", str(item.chat), number}.isdisjoint(allowed)
