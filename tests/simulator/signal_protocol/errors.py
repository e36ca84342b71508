"""What can go wrong while decrypting."""

from __future__ import annotations


class SignalError(Exception):
    """A message could not be decrypted."""


class BadMacError(SignalError):
    """The MAC or signature of a message is wrong."""


class DuplicateMessageError(SignalError):
    """The same ciphertext was decrypted before."""


class NoSessionError(SignalError):
    """There is no session or sender key for this message."""


class ConsumedPrekeyError(SignalError):
    """A new session names a one-time prekey that is unknown or used up."""
