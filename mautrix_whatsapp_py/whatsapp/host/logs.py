"""A host's log: lines to the bridge when one is attached, JSON lines to standard error when not."""

from __future__ import annotations

import logging
import sys

import msgspec

from mautrix_whatsapp_py.ids import LoginId, login_tag
from mautrix_whatsapp_py.whatsapp.host.library_log import scrub
from mautrix_whatsapp_py.whatsapp.host.pump import Outlet
from mautrix_whatsapp_py.whatsapp.wire import LogLine

_QUIET = ("neonize", "whatsmeow.Client", "Whatsmeow.Database", "asyncio")


class OutletHandler(logging.Handler):
    """Sends records to the bridge."""

    def __init__(self, outlet: Outlet) -> None:
        super().__init__()
        self._outlet = outlet

    def emit(self, record: logging.LogRecord) -> None:
        """Send or print a record; a traceback is told by its kind and place, never by its text."""
        line = LogLine(level=record.levelno, logger=record.name, text=_text(record))
        if self._outlet.epoch:
            self._outlet.put(line)
        else:
            sys.stderr.buffer.write(msgspec.json.encode(line) + b"\n")
            sys.stderr.flush()


def _text(record: logging.LogRecord) -> str:
    login: str = getattr(record, "login", "")
    name = login_tag(LoginId(login)) if login.isdigit() else login
    text = f"{name}: {record.getMessage()}" if name else record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
        text = f"{text} ({type(error).__name__} at {place}: {scrub(str(error))})"
    return text


def set_up_logs(outlet: Outlet) -> None:
    """Install the one handler; the library's loggers print stanzas below warning."""
    root = logging.getLogger()
    root.handlers[:] = [OutletHandler(outlet)]
    root.setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
