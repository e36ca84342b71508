"""The error tree.

BridgeError                 known failures; each carries what its reader needs
├── StartupError            the daemon cannot start: one line, the mend, an exit code
│   ├── ConfigError         all problems of a configuration at once
│   └── …                   see ExitCode
├── CommandError            a command cannot be carried out; shown to its sender
├── MatrixError             the homeserver said no
│   ├── MatrixUnreachable   it said nothing, or that it is unwell: worth another try
│   └── MatrixRefused       it said no for good
├── StoreError              the database said no
│   └── StoreUnavailable    it is away: nothing may be acknowledged
├── MediaFailed             a file could not be brought over; passing where another try may help
│   └── ConversionFailed    no other form of a file could be made
└── WhatsAppError           WhatsApp, or the way to it, said no
    ├── WhatsAppUnavailable no link now: nothing was done, worth another try
    ├── WhatsAppRefused     nothing was done, and another try will not help
    └── WhatsAppUncertain   it may or may not have been done
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the program; documented in the README."""

    OK = 0
    USAGE = 1
    UNWELL = 2
    NO_UPDATE_WITH_GENERATE = 5
    CONFIG_UNREADABLE = 10
    CONFIG_INVALID = 11
    LOGGING = 12
    PING_FAILED = 13
    DATABASE_UNAVAILABLE = 14
    DATABASE_UNSUPPORTED = 15
    TOKEN_REFUSED = 16
    WRONG_USER = 17
    SERVER_UNSUPPORTED = 18
    DOMAIN_UNSET = 20
    REGISTRATION_UNWRITABLE = 21
    CONFIG_UNWRITABLE = 22
    LISTENER = 23
    DATA_FOLDER = 24
    HOMESERVER_UNREACHABLE = 25
    CRASHED = 70
    LEASE_LOST = 75


class BridgeError(Exception):
    """Something known went wrong."""

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or (type(self).__doc__ or "").splitlines()[0])

    @property
    def text(self) -> str:
        """The sentence for the person concerned."""
        return str(self)


class StartupError(BridgeError):
    """The bridge cannot start."""

    def __init__(self, text: str, *, mend: str, code: ExitCode) -> None:
        super().__init__(text)
        self.mend = mend
        self.code = code

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.mend}" if self.mend else str(self.args[0])


class ConfigError(StartupError):
    """The configuration has problems."""

    def __init__(self, problems: Sequence[str], *, code: ExitCode = ExitCode.CONFIG_INVALID) -> None:
        super().__init__("\n".join(problems), mend="", code=code)
        self.problems = tuple(problems)


class CommandError(BridgeError):
    """The command could not be carried out."""


class PhoneNumberError(CommandError):
    """Something is not written as phone numbers are."""


class MatrixError(BridgeError):
    """The homeserver did not do what was asked."""

    def __init__(self, text: str | None = None, *, errcode: str = "", status: int = 0) -> None:
        super().__init__(text)
        self.errcode = errcode
        self.status = status


class MatrixUnreachable(MatrixError):
    """The homeserver could not be reached."""


class MatrixRefused(MatrixError):
    """The homeserver refused the request."""


class StoreError(BridgeError):
    """The database did not do what was asked."""


class StoreUnavailable(StoreError):
    """The database could not be reached."""


class MediaFailed(BridgeError):
    """The file could not be brought over."""

    def __init__(self, text: str | None = None, *, is_passing: bool = False) -> None:
        super().__init__(text)
        self.is_passing = is_passing


class ConversionFailed(MediaFailed):
    """The file could not be converted."""

    def __init__(self, code: str) -> None:
        super().__init__()
        self.code = code


class WhatsAppError(BridgeError):
    """WhatsApp did not do what was asked."""

    def __init__(self, text: str | None = None, *, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class WhatsAppUnavailable(WhatsAppError):
    """You're not connected to WhatsApp."""


class WhatsAppRefused(WhatsAppError):
    """WhatsApp refused the request."""


class WhatsAppUncertain(WhatsAppError):
    """WhatsApp did not answer in time."""
