"""The command line: what a person types, the one line they get back, the exit code."""

from mautrix_whatsapp_py.cli.entry import main

__all__ = ["main"]
