"""Fetches what converting a message from WhatsApp needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mautrix_whatsapp_py.bridge.from_whatsapp.scene import Scene
from mautrix_whatsapp_py.bridge.persons import is_person
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert.context import MxTarget, OwnReaction, ToMatrixContext, ToMatrixOptions
from mautrix_whatsapp_py.convert.needs import file_of, needs_of_wa
from mautrix_whatsapp_py.convert.vcard import VCARD_TYPE, name_file, write_vcards
from mautrix_whatsapp_py.ids import MxEventId, PersonId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import MxMessageContent, WaContent, WaEdit, WaMessageRef, WaReaction
from mautrix_whatsapp_py.model.media import MediaUnavailable, MxFile, WaMedia
from mautrix_whatsapp_py.model.people import MxPerson
from mautrix_whatsapp_py.model.portal import MessagePart
from mautrix_whatsapp_py.model.rich import WaContactCards
from mautrix_whatsapp_py.model.wa import WaSource, WaUndecryptable


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The context, and the rows it was made of."""

    context: ToMatrixContext
    targets: tuple[MessagePart, ...]

    @property
    def author_id(self) -> PersonId | None:
        """Who wrote the message that this one is about."""
        return self.targets[0].person_id if self.targets else None


async def fetch_context(
    content: WaContent | WaUndecryptable,
    source: WaSource,
    scene: Scene,
    talk: Talk,
    *,
    placeholder: MxEventId | None,
    file: MxFile | MediaUnavailable | None = None,
    is_patient: bool = False,
) -> Fetched:
    """Everything a message needs; whoever is patient waits for a slow file."""
    needs = needs_of_wa(content, source.chat)
    people = await _fetch_people(needs.people, talk)
    targets: tuple[MessagePart, ...] = ()
    if needs.target is not None:
        must_be_own = isinstance(content, WaEdit)
        targets = await _fetch_targets(needs.target, scene, talk, must_be_own=must_be_own)
    context = ToMatrixContext(
        chat=source.chat.bare,
        sender=source.sender.bare,
        sender_user=talk.user_of(scene.sender),
        is_from_me=source.is_from_me,
        people=people,
        reply_to=await _fetch_reply(needs.reply_to, scene, talk) if needs.reply_to else None,
        targets=tuple(part.event_id for part in targets),
        own_reaction=await _fetch_reaction(content, targets, scene, talk),
        placeholder=placeholder,
        preview_image=await talk.cards.bring_picture(needs.preview_thumbnail) if needs.preview_thumbnail else None,
        file=file or await _fetch_file(content, scene, talk, is_patient=is_patient),
        edited=await _fetch_edited(content, targets, scene, talk),
        album=await _fetch_album(content, scene, talk),
        options=ToMatrixOptions(deleted=talk.settings.deleted),
    )
    return Fetched(context=context, targets=targets)


async def _fetch_album(content: WaContent | WaUndecryptable, scene: Scene, talk: Talk) -> MxEventId | None:
    """The head of the album a file belongs to, whose sender is that of the file."""
    if not isinstance(content, WaMedia) or content.context.album is None:
        return None
    parts = await _fetch_parts(scene, talk, content.context.album, scene.sender.id)
    return parts[0].event_id if parts else None


async def _fetch_file(
    content: WaContent | WaUndecryptable, scene: Scene, talk: Talk, *, is_patient: bool
) -> MxFile | MediaUnavailable | None:
    media = file_of(content)
    if media is None and not isinstance(content, WaContactCards):
        return None
    is_encrypted = await talk.is_encrypted(scene.portal)
    if isinstance(content, WaContactCards):
        data, name = write_vcards(content), name_file(content)
        return await talk.small_files.store(data, mime_type=VCARD_TYPE, name=name, is_encrypted=is_encrypted)
    assert media is not None
    return await talk.files.bring_to_matrix(media, is_encrypted=is_encrypted, is_patient=is_patient)


async def _fetch_edited(
    content: WaContent | WaUndecryptable, targets: tuple[MessagePart, ...], scene: Scene, talk: Talk
) -> MxMessageContent | None:
    """What the edited message says where that may be a file, which a new caption must not replace."""
    if not isinstance(content, WaEdit) or not targets or scene.portal.room_id is None:
        return None
    return await talk.chats.fetch_message(scene.portal.room_id, targets[0].event_id)


async def _fetch_people(jids: Iterable[WaJid], talk: Talk) -> dict[WaJid, MxPerson]:
    return {jid: talk.on_matrix(await talk.persons.resolve(jid)) for jid in jids if is_person(jid)}


async def _fetch_targets(
    ref: WaMessageRef, scene: Scene, talk: Talk, *, must_be_own: bool
) -> tuple[MessagePart, ...]:
    """The events of the message that this one is about; an edit is about its sender's own."""
    author_id = scene.sender.id if must_be_own else await _fetch_author(ref, talk)
    return await _fetch_parts(scene, talk, ref.message_id, author_id)


async def _fetch_reply(ref: WaMessageRef, scene: Scene, talk: Talk) -> MxTarget | None:
    parts = await _fetch_parts(scene, talk, ref.message_id, await _fetch_author(ref, talk))
    if not parts:
        return None
    person = await talk.persons.get(parts[0].person_id)
    if person is None:
        return None
    return MxTarget(event_id=parts[0].event_id, sender=talk.user_of(person))


async def _fetch_author(ref: WaMessageRef, talk: Talk) -> PersonId | None:
    if ref.sender is None or not is_person(ref.sender):
        return None
    person = await talk.persons.find(ref.sender)
    # Somebody nobody has heard of wrote nothing that is here; no row has this id.
    return PersonId(0) if person is None else person.id


async def _fetch_parts(
    scene: Scene, talk: Talk, message_id: WaMessageId, author_id: PersonId | None
) -> tuple[MessagePart, ...]:
    return tuple(
        await talk.store.read(lambda tx: talk.rows.messages.get_parts(tx, scene.portal.id, message_id, author_id))
    )


async def _fetch_reaction(
    content: WaContent | WaUndecryptable, targets: tuple[MessagePart, ...], scene: Scene, talk: Talk
) -> OwnReaction | None:
    if not isinstance(content, WaReaction) or not targets:
        return None
    target = targets[0]
    row = await talk.store.read(
        lambda tx: talk.rows.reactions.get(
            tx, scene.portal.id, target.message_id, target.person_id, scene.sender.id
        )
    )
    return None if row is None else OwnReaction(event_id=row.event_id, key=row.key)
