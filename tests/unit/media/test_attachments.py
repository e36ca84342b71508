"""Files of encrypted rooms: what one side seals the other opens, and nothing that was changed."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.errors import MediaFailed
from mautrix_whatsapp_py.matrix.attachment_crypto import MxDecryptor, MxEncryptor


def test_there_and_back_in_odd_pieces() -> None:
    data = bytes(range(256)) * 40
    encryptor = MxEncryptor()
    sealed = b"".join(encryptor.update(data[at : at + 777]) for at in range(0, len(data), 777))
    assert sealed != data
    decryptor = MxDecryptor(encryptor.key)
    assert b"".join(decryptor.update(sealed[at : at + 1000]) for at in range(0, len(sealed), 1000)) == data
    decryptor.finish()


def test_a_changed_byte_is_noticed() -> None:
    encryptor = MxEncryptor()
    sealed = bytearray(encryptor.update(b"some bytes"))
    sealed[3] ^= 1
    decryptor = MxDecryptor(encryptor.key)
    decryptor.update(bytes(sealed))
    with pytest.raises(MediaFailed):
        decryptor.finish()
