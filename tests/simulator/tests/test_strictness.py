"""The simulator never hides a client's mistake."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neonize.utils.jid import build_jid

from tests.simulator import binary
from tests.simulator.api import Direction, Jid, Node, ViolationKind, node, simulator
from tests.simulator.media_crypto import decrypt_media, encrypt_media
from tests.simulator.routing.stanzas import handle_stanza
from tests.simulator.signal_protocol.device import SignalDevice
from tests.simulator.signal_protocol.errors import DuplicateMessageError
from tests.simulator.tests.clients import Pair, alice_and_bob
from tests.simulator.violations import ProtocolViolationError

NOBODY = Jid("19990001111", "s.whatsapp.net")


def encrypted(jid: Jid, kind: str = "msg", data: bytes = b"\x33nonsense") -> Node:
    """One ciphertext for one device."""
    return node("to", {"jid": jid}, [node("enc", {"v": "2", "type": kind}, data)])


def message(to: Jid, *parts: Node, **attrs: str) -> Node:
    """A client's message."""
    head: dict[str, str | int | Jid | None] = {"to": to, "id": "M1", "type": "text"}
    return node("message", {**head, **attrs}, [node("participants", {}, parts)])


MISTAKES: dict[str, tuple[ViolationKind, Callable[[Pair], Node]]] = {
    "unknown stanza": (ViolationKind.UNKNOWN_REQUEST, lambda _x: node("dance")),
    "unknown request": (
        ViolationKind.UNKNOWN_REQUEST,
        lambda _x: node("iq", {"id": "1", "xmlns": "w:dance", "type": "get"}, [node("tango")]),
    ),
    "no id": (ViolationKind.MISSING_ATTRIBUTE, lambda x: node("message", {"to": x.bob.pn, "type": "text"})),
    "no receiver": (ViolationKind.MISSING_ATTRIBUTE, lambda _x: node("message", {"id": "1", "type": "text"})),
    "no namespace": (ViolationKind.MISSING_ATTRIBUTE, lambda _x: node("iq", {"id": "1", "type": "get"})),
    "address as text": (
        ViolationKind.MALFORMED_NODE,
        lambda x: node("message", {"to": str(x.bob.pn), "id": "1", "type": "text"}),
    ),
    "nothing for anybody": (ViolationKind.MISSING_CHILD, lambda x: message(x.bob.pn)),
    "unknown user": (ViolationKind.UNKNOWN_USER, lambda _x: message(NOBODY, encrypted(NOBODY))),
    "unknown user beside a known one": (
        ViolationKind.UNKNOWN_USER,
        lambda x: message(x.bob.pn, encrypted(NOBODY)),
    ),
    "unknown group": (ViolationKind.UNKNOWN_CHAT, lambda x: message(Jid("1", "g.us"), encrypted(x.bob.lid))),
    "no session": (ViolationKind.UNDECRYPTABLE, lambda x: message(x.bob.pn, encrypted(x.bob.lid))),
    "wrong key count": (
        ViolationKind.MISSING_CHILD,
        lambda _x: node("iq", {"id": "1", "xmlns": "encrypt", "type": "set"}, [node("registration", {}, b"1234")]),
    ),
}


@pytest.mark.neonize
@pytest.mark.parametrize("name", MISTAKES)
async def test_mistakes_fail_the_test_with_the_stanza(tmp_path: Path, name: str) -> None:
    kind, build = MISTAKES[name]

    async def run() -> None:
        async with alice_and_bob(tmp_path) as x:
            assert x.device.connection is not None
            handle_stanza(x.wa.world, x.device.connection, build(x))

    with pytest.raises(AssertionError, match=rf"{kind}[^\n]*\n[^\n]*15550001111[^\n]*\n *<\w"):
        await run()


@pytest.mark.neonize
async def test_wrong_mac_and_consumed_prekey_are_noticed(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.client.api.send_message(build_jid(x.bob.pn.user), "genuine")
        await x.bob.phone.receive_next()
        genuine = x.wa.trace.stanzas(Direction.IN, "message")[0]
        assert x.device.connection is not None
        handle_stanza(x.wa.world, x.device.connection, genuine)
        assert x.bob.phone.duplicates == [genuine.get("id")]
        parts = genuine.require_child("participants").all("to")
        part = next(p for p in parts if x.bob.owns(p.jid("jid")))
        sealed = part.require_child("enc").data
        x.bob.phone.is_asking_for_retries = False
        with x.wa.trace.expected(ViolationKind.BAD_MAC):
            tampered = sealed[:-14] + bytes((sealed[-14] ^ 1,)) + sealed[-13:]
            broken = message(x.bob.pn, encrypted(part.jid("jid"), "pkmsg", tampered), id="M2")
            x.bob.phone.signal.forget_sessions(keep_prekeys=True)
            handle_stanza(x.wa.world, x.device.connection, broken)
        with x.wa.trace.expected(ViolationKind.CONSUMED_PREKEY):
            x.bob.phone.signal.forget_sessions()
            handle_stanza(x.wa.world, x.device.connection, genuine.with_attrs(id="M3"))


@pytest.mark.neonize
async def test_an_expected_mistake_must_happen(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        with (
            pytest.raises(AssertionError, match="no client did this"),
            x.wa.trace.expected(ViolationKind.BAD_MAC),
        ):
            await x.bob.phone.text(x.alice.pn, "all is well")


async def test_wrong_connection_header_is_noticed(tmp_path: Path) -> None:
    async with simulator(tmp_path) as wa:
        with wa.trace.expected(ViolationKind.MALFORMED_NODE):
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect("https://web.whatsapp.com/ws/chat", proxy=wa.proxy_url, ssl=False) as socket,
            ):
                await socket.send_bytes(b"WA\x06\x02nonsense")
                await wa.trace.wait_for(lambda: bool(wa.trace.violations))


async def test_upload_that_does_not_match_its_hash(tmp_path: Path) -> None:
    async with simulator(tmp_path) as wa:
        with wa.trace.expected(ViolationKind.BAD_UPLOAD):
            async with (
                aiohttp.ClientSession() as session,
                session.post(
                    "https://mmg.whatsapp.net/mms/image/AAAA", data=b"x", proxy=wa.proxy_url, ssl=False
                ) as response,
            ):
                assert response.status == 400


@pytest.mark.parametrize(
    "frame", [b"\0\xf8", b"\0\xf8\x03\x05\x03", b"\0\x00", b"\x02nozlib", b"\0\xf8\x01\x05\x05"]
)
def test_malformed_frames_are_violations(frame: bytes) -> None:
    with pytest.raises(ProtocolViolationError) as failure:
        binary.decode(frame)
    assert failure.value.kind is ViolationKind.MALFORMED_NODE


texts = st.text(min_size=1, max_size=40)
jids = st.builds(
    Jid,
    st.from_regex(r"[0-9]{5,15}", fullmatch=True),
    st.sampled_from(["lid", "s.whatsapp.net"]),
    st.integers(0, 99),
)
nodes = st.recursive(
    st.builds(node, texts, st.dictionaries(texts, texts | jids, max_size=4), st.binary(min_size=1, max_size=300)),
    lambda inner: st.builds(node, texts, st.just({}), st.lists(inner, min_size=1, max_size=4)),
    max_leaves=8,
)


@given(nodes)
def test_nodes_survive_encoding(original: Node) -> None:
    assert binary.decode(binary.encode(original)) == original


@given(st.binary(max_size=200))
def test_decoder_never_crashes(data: bytes) -> None:
    with contextlib.suppress(ProtocolViolationError):
        assert binary.decode(b"\0" + data).tag


def test_ratchet_in_any_order_and_each_message_once() -> None:
    alice, bob = SignalDevice(), SignalDevice()
    alice.start_session("bob", bob.make_bundle())
    sealed = [alice.encrypt("bob", b"%d" % n) for n in range(5)]
    for n in (3, 0, 4, 1, 2):
        assert bob.decrypt("alice", sealed[n]) == b"%d" % n
    with pytest.raises(DuplicateMessageError):
        bob.decrypt("alice", sealed[2])
    answer = bob.encrypt("alice", b"answer")
    assert answer.type == "msg"
    assert alice.decrypt("bob", answer) == b"answer"


def test_media_with_a_wrong_mac_is_a_violation() -> None:
    media = encrypt_media(b"data", "image")
    assert decrypt_media(media.blob, media.key, "image") == b"data"
    with pytest.raises(ProtocolViolationError):
        decrypt_media(media.blob[:-1] + b"\0\0", media.key, "image")
