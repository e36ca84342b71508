"""Messages that stand on their own and carry no file."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from tests.simulator.jids import Jid
from tests.simulator.kinds.actions import MessageRef
from tests.simulator.kinds.media import Uploaded
from tests.simulator.nodes import node
from tests.simulator.outgoing import Outgoing
from tests.simulator.protobufs import e2e


def text(body: str) -> Outgoing:
    """Plain text."""
    return Outgoing(message=e2e.Message(conversation=body))


def reply(body: str, target: MessageRef, quoted: Any) -> Outgoing:
    """Text that quotes a message."""
    context = e2e.ContextInfo(
        stanzaID=target.message_id, participant=str(target.sender.bare), quotedMessage=quoted
    )
    extended = e2e.ExtendedTextMessage(text=body, contextInfo=context)
    return Outgoing(message=e2e.Message(extendedTextMessage=extended))


def mention(body: str, people: Sequence[Jid], *, is_everyone: bool = False) -> Outgoing:
    """Text with mentions; the body spells them as `@user`."""
    context = e2e.ContextInfo(mentionedJID=[str(jid) for jid in people])
    if is_everyone:
        context.nonJIDMentions = 1
    return Outgoing(
        message=e2e.Message(extendedTextMessage=e2e.ExtendedTextMessage(text=body, contextInfo=context))
    )


def forwarded(body: str, *, score: int = 1) -> Outgoing:
    """Text marked as forwarded."""
    context = e2e.ContextInfo(isForwarded=True, forwardingScore=score)
    return Outgoing(
        message=e2e.Message(extendedTextMessage=e2e.ExtendedTextMessage(text=body, contextInfo=context))
    )


def link_preview(
    body: str, url: str, title: str, description: str, thumbnail: bytes = b"", file: Uploaded | None = None
) -> Outgoing:
    """Text with the preview of a link in it; a large thumbnail is a file of kind `link`."""
    extended = e2e.ExtendedTextMessage(
        text=body, matchedText=url, title=title, description=description, JPEGThumbnail=thumbnail
    )
    if file:
        extended.thumbnailDirectPath, extended.mediaKey = file.direct_path, file.key
        extended.thumbnailSHA256, extended.thumbnailEncSHA256 = file.sha256, file.encrypted_sha256
    return Outgoing(message=e2e.Message(extendedTextMessage=extended), media_type="url")


def contact(name: str, vcard: str) -> Outgoing:
    """One contact card."""
    message = e2e.Message(contactMessage=e2e.ContactMessage(displayName=name, vcard=vcard))
    return Outgoing(message=message, type="media", media_type="vcard")


def contacts(title: str, cards: dict[str, str]) -> Outgoing:
    """Several contact cards by name."""
    listed = [e2e.ContactMessage(displayName=name, vcard=vcard) for name, vcard in cards.items()]
    array = e2e.ContactsArrayMessage(displayName=title, contacts=listed)
    return Outgoing(message=e2e.Message(contactsArrayMessage=array), type="media", media_type="contact_array")


def location(latitude: float, longitude: float, *, name: str = "", address: str = "") -> Outgoing:
    """A place."""
    place = e2e.LocationMessage(degreesLatitude=latitude, degreesLongitude=longitude, name=name, address=address)
    return Outgoing(message=e2e.Message(locationMessage=place), type="media", media_type="location")


def live_location(latitude: float, longitude: float, *, caption: str = "", sequence: int = 1) -> Outgoing:
    """The start or an update of a live location."""
    place = e2e.LiveLocationMessage(
        degreesLatitude=latitude, degreesLongitude=longitude, caption=caption, sequenceNumber=sequence
    )
    return Outgoing(message=e2e.Message(liveLocationMessage=place), type="media", media_type="livelocation")


def poll(question: str, options: Sequence[str], *, selectable: int = 1, version: str = "V3") -> Outgoing:
    """A poll; the version picks the field it travels in, empty for the oldest."""
    creation = e2e.PollCreationMessage(
        name=question,
        options=[e2e.PollCreationMessage.Option(optionName=option) for option in options],
        selectableOptionsCount=selectable,
    )
    message = e2e.Message(**{f"pollCreationMessage{version}": creation})
    meta = node("meta", {"polltype": "creation"})
    return with_secret(Outgoing(message=message, type="poll", extra=(meta,)))


def event(name: str, *, start_seconds: int, place: str = "", description: str = "") -> Outgoing:
    """An event with an invitation."""
    details = e2e.EventMessage(name=name, startTime=start_seconds, description=description)
    if place:
        details.location.name = place
    meta = node("meta", {"event_type": "creation"})
    return with_secret(Outgoing(message=e2e.Message(eventMessage=details), type="event", extra=(meta,)))


def group_invite(group: Jid, code: str, name: str, *, expires_seconds: int, caption: str = "") -> Outgoing:
    """An invitation to a group, sent in a direct chat."""
    invite = e2e.GroupInviteMessage(
        groupJID=str(group),
        inviteCode=code,
        groupName=name,
        inviteExpiration=expires_seconds,
        caption=caption,
    )
    return Outgoing(message=e2e.Message(groupInviteMessage=invite), type="media", media_type="url")


def album(*, images: int, videos: int = 0) -> Outgoing:
    """The head of an album; its files follow with `in_album`."""
    head = e2e.AlbumMessage(expectedImageCount=images, expectedVideoCount=videos)
    return with_secret(Outgoing(message=e2e.Message(albumMessage=head), type="media"))


def view_once_placeholder() -> Outgoing:
    """What companions get in place of a view-once message."""
    hidden = e2e.PlaceholderMessage(type=e2e.PlaceholderMessage.MASK_LINKED_DEVICES)
    return Outgoing(message=e2e.Message(placeholderMessage=hidden))


def buttons(body: str, labels: Sequence[str]) -> Outgoing:
    """A business message with buttons."""
    kind = e2e.ButtonsMessage.Button
    made = [
        kind(buttonID=str(n), buttonText=kind.ButtonText(displayText=label), type=kind.RESPONSE)
        for n, label in enumerate(labels)
    ]
    message = e2e.ButtonsMessage(contentText=body, buttons=made, headerType=e2e.ButtonsMessage.EMPTY)
    return Outgoing(message=e2e.Message(buttonsMessage=message))


def list_message(title: str, body: str, rows: Sequence[str]) -> Outgoing:
    """A business message with a list to choose from."""
    kind = e2e.ListMessage
    section = kind.Section(title=title, rows=[kind.Row(rowID=row, title=row) for row in rows])
    message = kind(
        title=title, description=body, buttonText="Choose", sections=[section], listType=kind.SINGLE_SELECT
    )
    return Outgoing(message=e2e.Message(listMessage=message))


def template(body: str) -> Outgoing:
    """A business template."""
    hydrated = e2e.TemplateMessage.HydratedFourRowTemplate(hydratedContentText=body)
    return Outgoing(message=e2e.Message(templateMessage=e2e.TemplateMessage(hydratedTemplate=hydrated)))


def with_secret(outgoing: Outgoing, secret: bytes | None = None) -> Outgoing:
    """The same message with a message secret, which votes, edits and hidden reactions need."""
    message = e2e.Message()
    message.CopyFrom(outgoing.message)
    message.messageContextInfo.messageSecret = secret or os.urandom(32)
    return dataclasses.replace(outgoing, message=message)


def with_timer(body: str, seconds: int) -> Outgoing:
    """Text that disappears."""
    context = e2e.ContextInfo(expiration=seconds)
    extended = e2e.ExtendedTextMessage(text=body, contextInfo=context)
    inner = e2e.Message(extendedTextMessage=extended)
    return Outgoing(message=e2e.Message(ephemeralMessage=e2e.FutureProofMessage(message=inner)))
