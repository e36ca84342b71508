"""What is sealed with a message's secret opens for whoever saw that message, and for nobody else."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mautrix_whatsapp_py.ids import WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import (
    WaContent,
    WaContext,
    WaEdit,
    WaMessageRef,
    WaReaction,
    WaText,
    WaUnsupported,
)
from mautrix_whatsapp_py.model.rich import WaCard, WaCardKind
from mautrix_whatsapp_py.whatsapp.host.decode_content import decode_content
from mautrix_whatsapp_py.whatsapp.host.secrets import get_message_id, get_secrets
from tests.simulator import message_secrets
from tests.simulator.jids import Jid
from tests.unit.whatsapp.host.contents import (
    ANA,
    ANA_LID,
    BEN,
    E2E,
    GROUP,
    OWN,
    SECRET,
    Message,
    add_secret,
    make_tables,
    scene,
)

REACTION = WaReaction(target=WaMessageRef(chat=GROUP, message_id=WaMessageId("T"), sender=ANA_LID), emoji="🎉")
EDIT = WaEdit(
    target=WaMessageRef(chat=ANA, message_id=WaMessageId("T"), sender=ANA),
    content=WaText(body="new", context=WaContext(mentions=frozenset({BEN}))),
)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    return make_tables(tmp_path / "session.db")


def seal(use: str, author: WaJid, actor: WaJid, plain: bytes, secret: bytes = SECRET) -> dict[str, bytes]:
    context = message_secrets.Context(
        secret=secret,
        message_id="T",
        sender=Jid(author.user, author.server),
        actor=Jid(actor.user, actor.server),
        use=use,
    )
    sealed = message_secrets.seal(context, plain)
    return {"encPayload": sealed.payload, "encIV": sealed.iv}


def sealed_reaction(author: WaJid = ANA_LID, actor: WaJid = BEN, **changes: Any) -> Any:
    inner = E2E.ReactionMessage(text="🎉").SerializeToString()
    fields = {**seal("Enc Reaction", author, actor, inner), **changes}
    key = {"ID": "T", "participant": str(ANA_LID), "remoteJID": str(GROUP)}
    return Message(encReactionMessage=E2E.EncReactionMessage(targetMessageKey=key, **fields))


def sealed_edit(plain: bytes | None = None, *, kind: str = "MESSAGE_EDIT") -> Any:
    new = Message(extendedTextMessage={"text": "new", "contextInfo": {"mentionedJID": [str(BEN)]}})
    inner = Message(
        protocolMessage=E2E.ProtocolMessage(type=E2E.ProtocolMessage.MESSAGE_EDIT, editedMessage=new)
    ).SerializeToString()
    sealed = E2E.SecretEncryptedMessage(
        targetMessageKey={"ID": "T", "fromMe": True, "remoteJID": str(OWN)},
        secretEncType=E2E.SecretEncryptedMessage.SecretEncType.Value(kind),
        **seal("Message Edit", ANA, ANA, inner if plain is None else plain),
    )
    return Message(secretEncryptedMessage=sealed)


def decode(message: Any, tables: Path, chat: WaJid = GROUP, sender: WaJid = BEN, **fields: Any) -> WaContent:
    return decode_content(message, scene(chat, sender, get_secrets=partial(get_secrets, tables), **fields))


def test_a_sealed_reaction_opens(tables: Path) -> None:
    add_secret(tables, GROUP, ANA_LID, "T")
    assert decode(sealed_reaction(), tables) == REACTION


def test_people_are_known_by_either_address(tables: Path) -> None:
    add_secret(tables, GROUP, ANA, "T")
    assert decode(sealed_reaction(ANA_LID), tables) == REACTION
    assert decode(sealed_reaction(ANA), tables) == REACTION
    other = WaJid(user="15550003333", server="s.whatsapp.net")
    assert decode(sealed_reaction(actor=other), tables, sender_alt=other) == REACTION


def test_a_sealed_edit_opens(tables: Path) -> None:
    add_secret(tables, ANA_LID, ANA_LID, "T")
    assert decode(sealed_edit(), tables, ANA, ANA) == EDIT


REACTION_UNSEEN = EDIT_UNSEEN = WaCard(kind=WaCardKind.SEALED)


def test_without_its_secret_nothing_opens(tables: Path, tmp_path: Path) -> None:
    add_secret(tables, GROUP, ANA_LID, "other")
    add_secret(tables, ANA, ANA_LID, "T")
    assert decode(sealed_reaction(), tables) == REACTION_UNSEEN
    assert decode(sealed_reaction(), tmp_path / "nowhere") == REACTION_UNSEEN
    (tmp_path / "broken").write_bytes(b"x" * 4096)
    assert decode(sealed_reaction(), tmp_path / "broken") == REACTION_UNSEEN


@pytest.mark.parametrize(
    "changes", [{"encIV": b""}, {"encIV": b"x" * 200}, {"encPayload": b""}, {"encPayload": b"x" * 40}]
)
def test_what_does_not_open_is_not_believed(tables: Path, changes: dict[str, bytes]) -> None:
    add_secret(tables, GROUP, ANA_LID, "T")
    assert decode(sealed_reaction(**changes), tables) == REACTION_UNSEEN


def test_nobody_seals_in_the_name_of_another(tables: Path) -> None:
    add_secret(tables, GROUP, ANA_LID, "T")
    assert decode(sealed_reaction(actor=ANA_LID), tables, sender=BEN) == REACTION_UNSEEN


def test_an_edit_that_holds_something_else(tables: Path) -> None:
    add_secret(tables, ANA, ANA, "T")
    assert decode(sealed_edit(b"\xff\xff"), tables, ANA, ANA) == EDIT_UNSEEN
    assert decode(sealed_edit(b""), tables, ANA, ANA) == WaUnsupported(kind="protocolMessage")
    assert decode(sealed_edit(kind="POLL_EDIT"), tables, ANA, ANA) == EDIT_UNSEEN


def test_a_sealed_message_about_nothing(tables: Path) -> None:
    message = sealed_reaction()
    message.encReactionMessage.targetMessageKey.ClearField("ID")
    assert decode(message, tables) == REACTION_UNSEEN


def test_a_send_is_known_by_its_secret(tables: Path, tmp_path: Path) -> None:
    add_secret(tables, ANA, OWN, "SENT")
    assert get_message_id(tables, SECRET) == "SENT"
    assert get_message_id(tables, b"other") is None
    assert get_message_id(tables, b"") is None
    assert get_message_id(tmp_path / "nowhere", SECRET) is None
