"""Files with something wrong in them, the same for the same seed."""

from __future__ import annotations

import random


def mutated(data: bytes, seed: int) -> bytes:
    """A file that was damaged in one to four ways."""
    chance = random.Random(seed)
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        if not changed:
            break
        at = chance.randrange(len(changed))
        # Headers are where it hurts.
        if chance.random() < 0.5:
            at = chance.randrange(min(len(changed), 512))
        length = chance.choice((1, 2, 4, 16, 256))
        match chance.randrange(7):
            case 0:
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                changed[at : at + length] = chance.randbytes(length)
            case 2:
                changed[at : at + length] = b"\xff" * length
            case 3:
                del changed[at : at + length]
            case 4:
                changed[at:at] = changed[at : at + length]
            case 5:
                del changed[max(at, 1) :]
            case _:
                changed[at : at + 4] = chance.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFF)).to_bytes(4, "big")
    return bytes(changed)
