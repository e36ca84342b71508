"""Linking by code, and unlinking from the companion."""

from __future__ import annotations

import base64
import os

from tests.simulator import pairing
from tests.simulator.connection import Connection, LinkCode
from tests.simulator.nodes import Node, node
from tests.simulator.violations import ProtocolViolationError, ViolationKind
from tests.simulator.world import World


def on_link_code(world: World, connection: Connection, iq: Node) -> None:
    """Both stages of pairing by code."""
    stage = iq.require_child("link_code_companion_reg")
    if stage.text("stage") != "companion_hello":
        if connection.link_code is None:
            raise ProtocolViolationError(ViolationKind.UNKNOWN_REQUEST, "finish without hello", str(iq))
        connection.reply(iq)
        connection.link_code.finished.set_result(stage)
        return
    account = world.accounts.get(stage.jid("jid"))
    if account is None:
        connection.refuse(iq, 400, "bad-request")
        return
    ref = base64.b64encode(os.urandom(18)).decode()
    connection.link_code = LinkCode(account, ref, stage)
    account.phone.pending_link = connection
    answer = node("link_code_pairing_ref", {}, ref)
    connection.reply(iq, node("link_code_companion_reg", {"stage": "companion_hello"}, [answer]))


def on_logout(world: World, connection: Connection, iq: Node) -> None:
    """The companion unlinks itself."""
    account = connection.linked.account
    number = iq.require_child("remove-companion-device").jid("jid").device
    device = account.devices.get(number)
    connection.reply(iq)
    if device is not None:
        pairing.unlink(world, device)
