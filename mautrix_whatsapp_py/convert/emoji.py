"""Reactions: the same emoji is written differently on either side."""

from __future__ import annotations

import unicodedata
from typing import Final

VARIATION: Final = "\ufe0f"
_KEYCAP: Final = "\u20e3"
_MAX_EMOJI: Final = 40


def _ranges(listed: str) -> frozenset[int]:
    found: set[int] = set()
    for item in listed.split():
        first, _, last = item.partition("-")
        found.update(range(int(first, 16), int(last or first, 16) + 1))
    return frozenset(found)


# Unicode: Emoji=Yes and Emoji_Presentation=No; text unless the selector follows.
_TEXT_BY_DEFAULT: Final = _ranges(
    "23 2a 30-39 a9 ae 203c 2049 2122 2139 2194-2199 21a9-21aa 2328 23cf 23ed-23ef 23f1-23f2 23f8-23fa "
    "24c2 25aa-25ab 25b6 25c0 25fb-25fc 2600-2604 260e 2611 2618 261d 2620 2622-2623 2626 262a 262e-262f "
    "2638-263a 2640 2642 265f-2660 2663 2665-2666 2668 267b 267e 2692 2694-2697 2699 269b-269c 26a0 26a7 "
    "26b0-26b1 26c8 26cf 26d1 26d3 26e9 26f0-26f1 26f4 26f7-26f9 2702 2708-2709 270c-270d 270f 2712 2714 "
    "2716 271d 2721 2733-2734 2744 2747 2763-2764 27a1 2934-2935 2b05-2b07 3030 303d 3297 3299 "
    "1f170-1f171 1f17e-1f17f 1f202 1f237 1f321 1f324-1f32c 1f336 1f37d 1f396-1f397 1f399-1f39b "
    "1f39e-1f39f 1f3cb-1f3ce 1f3d4-1f3df 1f3f3 1f3f5 1f3f7 1f43f 1f441 1f4fd 1f549-1f54a 1f56f-1f570 "
    "1f573-1f579 1f587 1f58a-1f58d 1f590 1f5a5 1f5a8 1f5b1-1f5b2 1f5bc 1f5c2-1f5c4 1f5d1-1f5d3 "
    "1f5dc-1f5de 1f5e1 1f5e3 1f5e8 1f5ef 1f5f3 1f5fa 1f6cb 1f6cd-1f6cf 1f6e0-1f6e5 1f6e9 1f6f0 1f6f3"
)
# Unicode: emoji anyway, yet with a text form; alone, Matrix clients write these with the selector too.
_EMOJI_BY_DEFAULT: Final = _ranges(
    "231a-231b 23e9-23ec 23f0 23f3 25fd-25fe 2614-2615 2648-2653 267f 2693 26a1 26aa-26ab 26bd-26be "
    "26c4-26c5 26ce 26d4 26ea 26f2-26f3 26f5 26fa 26fd 2705 270a-270b 2728 274c 274e 2753-2755 2757 "
    "2795-2797 27b0 27bf 2b1b-2b1c 2b50 2b55 1f004 1f21a 1f22f 1f30d-1f30f 1f315 1f31c 1f378 1f393 1f3a7 "
    "1f3ac-1f3ae 1f3c2 1f3c4 1f3c6 1f3ca 1f3e0 1f3ed 1f408 1f415 1f41f 1f426 1f442 1f446-1f449 "
    "1f44d-1f44e 1f453 1f46a 1f47d 1f4a3 1f4b0 1f4b3 1f4bb 1f4bf 1f4cb 1f4da 1f4df 1f4e4-1f4e6 "
    "1f4ea-1f4ed 1f4f7 1f4f9-1f4fb 1f508 1f50d 1f512-1f513 1f550-1f567 1f610 1f687 1f68d 1f691 1f694 "
    "1f698 1f6ad 1f6b2 1f6b9-1f6ba 1f6bc"
)
_SKIN_TONES: Final = _ranges("1f3fb-1f3ff")
_FLAG_LETTERS: Final = _ranges("1f1e6-1f1ff")
_TAGS: Final = _ranges("e0020-e007f")
_JOINER: Final = "\u200d"
_KEYCAP_BASES: Final = frozenset("#*0123456789")


def to_matrix_emoji(emoji: str) -> str:
    """With the selectors Matrix clients write, so that equal reactions are counted together."""
    bare = emoji.replace(VARIATION, "")
    if len(bare) == 1 and ord(bare) in _EMOJI_BY_DEFAULT:
        return bare + VARIATION
    return "".join(
        character + VARIATION if _takes_selector(character, bare[index + 1 : index + 2]) else character
        for index, character in enumerate(bare)
    )


def to_wa_emoji(key: str) -> str:
    """Without selectors, as WhatsApp compares them."""
    return key.replace(VARIATION, "")


def is_emoji(key: str) -> bool:
    """Whether the whole of it is what WhatsApp takes as a reaction."""
    bare = to_wa_emoji(key)
    if not bare or len(bare) > _MAX_EMOJI:
        return False
    if bare[0] in _KEYCAP_BASES:
        return bare[1:] == _KEYCAP
    return all(_is_one_picture(part) for part in bare.split(_JOINER))


def _is_one_picture(part: str) -> bool:
    """Whether it is one picture, with its skin tone or the tags of a flag, or the two letters of a flag."""
    if not part or not _is_pictograph(part[0]):
        return False
    rest = part[1:]
    if ord(part[0]) in _FLAG_LETTERS:
        return len(rest) == 1 and ord(rest) in _FLAG_LETTERS
    if rest and ord(rest[0]) in _SKIN_TONES:
        rest = rest[1:]
    return all(ord(character) in _TAGS for character in rest)


def _takes_selector(character: str, after: str) -> bool:
    if character in _KEYCAP_BASES:
        return after == _KEYCAP
    return ord(character) in _TEXT_BY_DEFAULT and not (after and ord(after) in _SKIN_TONES)


def _is_pictograph(character: str) -> bool:
    code = ord(character)
    # The planes of pictographs hold emoji younger than Python's own tables.
    known = code in _TEXT_BY_DEFAULT or code in _EMOJI_BY_DEFAULT or 0x1F000 <= code <= 0x1FBFF
    return known or (code > 0x7F and unicodedata.category(character) == "So")
