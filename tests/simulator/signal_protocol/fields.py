"""The flat protobuf messages of the Signal wire format."""

from __future__ import annotations

from collections.abc import Mapping


class Fields:
    """Decoded fields by number; a missing one raises ValueError."""

    def __init__(self, data: bytes) -> None:
        self._values: dict[int, int | bytes] = {}
        self._data, self._position = data, 0
        while self._position < len(data):
            key = self._varint()
            if key & 7 == 0:
                self._values[key >> 3] = self._varint()
                continue
            size = self._varint()
            self._values[key >> 3] = data[self._position : self._position + size]
            self._position += size

    def number(self, field: int) -> int:
        """The varint field, 0 when it is missing."""
        value = self._values.get(field, 0)
        if isinstance(value, bytes):
            raise ValueError(f"field {field} is not a number")
        return value

    def data(self, field: int) -> bytes:
        """The bytes field."""
        value = self._values.get(field)
        if not isinstance(value, bytes):
            raise ValueError(f"field {field} is missing")
        return value

    def _varint(self) -> int:
        shift = result = 0
        while True:
            if self._position >= len(self._data):
                raise ValueError("truncated")
            byte = self._data[self._position]
            self._position += 1
            result |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                return result


def encode_fields(fields: Mapping[int, int | bytes | None]) -> bytes:
    """Encode in the order given; None is left out."""
    out = b""
    for number, value in fields.items():
        if isinstance(value, int):
            out += _varint(number << 3) + _varint(value)
        elif value is not None:
            out += _varint(number << 3 | 2) + _varint(len(value)) + value
    return out


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
