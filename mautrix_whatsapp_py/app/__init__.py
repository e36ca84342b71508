"""Composition root: configuration -> adapters -> bridge -> servers."""

from mautrix_whatsapp_py.app.main import run

__all__ = ["run"]
