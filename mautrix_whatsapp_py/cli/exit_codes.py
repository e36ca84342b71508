"""What the exit codes mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mautrix_whatsapp_py.errors import ExitCode

MEANINGS: Final[Mapping[ExitCode, str]] = {
    ExitCode.OK: "all is well, also after Ctrl-C",
    ExitCode.USAGE: "wrong words on the command line, or the file to write exists",
    ExitCode.UNWELL: "doctor found something that does not work",
    ExitCode.NO_UPDATE_WITH_GENERATE: "--no-update together with --generate-registration",
    ExitCode.CONFIG_UNREADABLE: "the configuration is missing, unreadable or not YAML",
    ExitCode.CONFIG_INVALID: "the configuration has wrong, unknown or missing values",
    ExitCode.LOGGING: "the log cannot be written",
    ExitCode.PING_FAILED: "what the Matrix server calls is not this bridge, or has other tokens",
    ExitCode.DATABASE_UNAVAILABLE: "the database cannot be opened",
    ExitCode.DATABASE_UNSUPPORTED: "the database is newer than the program or belongs to another",
    ExitCode.TOKEN_REFUSED: "the Matrix server refuses the bridge's token",
    ExitCode.WRONG_USER: "the Matrix server knows the token as another user's",
    ExitCode.SERVER_UNSUPPORTED: "the Matrix server is too old or of another kind",
    ExitCode.DOMAIN_UNSET: "--generate-registration without a server name",
    ExitCode.REGISTRATION_UNWRITABLE: "the registration cannot be written",
    ExitCode.CONFIG_UNWRITABLE: "the configuration cannot be written",
    ExitCode.LISTENER: "the address to listen on is taken or cannot be had",
    ExitCode.DATA_FOLDER: "the data folder cannot be made or written to",
    ExitCode.HOMESERVER_UNREACHABLE: "the local Matrix server did not come up, or ended",
    ExitCode.CRASHED: "a fault of the bridge; its log has the details",
    ExitCode.LEASE_LOST: "another worker of the cluster has taken over; start this one again",
}


def exit_code_table() -> str:
    """A line for each code."""
    lines = [f"  {code.value:>3}  {meaning}" for code, meaning in MEANINGS.items()]
    return "\n".join(["exit codes:", *lines])
