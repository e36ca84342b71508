"""The copy of the bridge's keys: what is sealed, who can open it, and what is believed of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mautrix_whatsapp_py.matrix.backup_cipher import BackupKey, NotOurs, encode_base64

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

DATA = {"room_id": "!room:localhost", "session_key": "ä" * 300, "forwarding_curve25519_key_chain": []}


def test_what_is_sealed_comes_back() -> None:
    key = BackupKey.generate()
    sealed = key.seal(DATA)
    assert BackupKey(key.private).open(sealed) == DATA
    assert "session_key" not in str(sealed)
    assert key.seal(DATA) != sealed


def test_others_read_what_is_sealed_with_its_key() -> None:
    """A client that is given the key reads the backup as any other."""
    olm = pytest.importorskip("olm")
    theirs = olm.PkDecryption()
    message = olm.PkEncryption(theirs.public_key).encrypt("said")
    assert theirs.decrypt(message) == "said"
    ours = BackupKey.generate()
    sealed = olm.PkEncryption(ours.public).encrypt(json.dumps(DATA))
    # it can be read, but has no proof: who knows the public key is not the bridge
    with pytest.raises(NotOurs):
        ours.open({"ephemeral": sealed.ephemeral_key, "ciphertext": sealed.ciphertext, "mac": sealed.mac})


def test_the_cipher_is_that_of_other_clients() -> None:
    """What olm sealed with a proof in it is opened: key agreement, cipher and sum are the same on both sides."""
    olm = pytest.importorskip("olm")
    ours = BackupKey.generate()
    proven = {**DATA, "net.mautrix_whatsapp_py.proof": ours._prove(DATA)}
    sealed = olm.PkEncryption(ours.public).encrypt(json.dumps(proven))
    fields = {"ephemeral": sealed.ephemeral_key, "ciphertext": sealed.ciphertext, "mac": sealed.mac}
    assert ours.open(fields) == DATA


def _change(sealed: dict[str, Any], field: str) -> dict[str, Any]:
    first = "B" if sealed[field][0] == "A" else "A"
    return {**sealed, field: first + sealed[field][1:]}


@pytest.mark.parametrize("field", ["ephemeral", "ciphertext", "mac"])
def test_what_was_changed_is_not_believed(field: str) -> None:
    key = BackupKey.generate()
    sealed = key.seal(DATA)
    assert key.open(sealed) == DATA
    with pytest.raises(NotOurs):
        key.open(_change(sealed, field))
    with pytest.raises(NotOurs):
        BackupKey.generate().open(sealed)


@pytest.mark.parametrize(
    "sealed",
    [
        {},
        {"ephemeral": 5, "ciphertext": "", "mac": ""},
        {"ephemeral": "", "ciphertext": "", "mac": ""},
        {"ephemeral": "%%%", "ciphertext": "AAAA", "mac": "AAAA"},
        {"ephemeral": encode_base64(bytes(32)), "ciphertext": "AAAA", "mac": "AAAA"},
        "text",
        None,
    ],
)
def test_what_is_no_entry_is_not_believed(sealed: Any) -> None:
    with pytest.raises(NotOurs):
        BackupKey.generate().open(sealed)
