"""A place where the states of links are published."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa_link import WaState
from mautrix_whatsapp_py.ports import StateReporter


class FakeReporter:
    """The port StateReporter: writes them down."""

    def __init__(self, states: list[tuple[MxUserId, str]]) -> None:
        self._states = states

    def publish_state(self, user: MxUserId, login: Login, state: WaState) -> None:
        self._states.append((user, f"{login.id} {state.kind}"))


def _fits_the_port(reporter: FakeReporter) -> StateReporter:
    return reporter
