"""The base of every group of keys."""

from __future__ import annotations


class Section:
    """A group of keys."""

    __slots__ = ()
