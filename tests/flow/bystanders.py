"""Ports that flow tests need, but are not about."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.picture import Picture
from mautrix_whatsapp_py.model.wa_link import WaState


class Artist:
    """The port QrArtist: its pictures are the text."""

    def draw_qr(self, text: str) -> Picture:
        return Picture(data=text.encode(), mimetype="image/png", filename="qr.png", width=600, height=600)


class Reporter:
    """The port StateReporter: into a list."""

    def __init__(self, states: list[tuple[MxUserId, str]]) -> None:
        self._states = states

    def publish_state(self, user: MxUserId, login: Login, state: WaState) -> None:
        self._states.append((user, f"{login.id} {state.kind}"))
