"""Linking an account from a terminal: a code to scan first, then, when wished for, one to type."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from mautrix_whatsapp_py.channel.faults import bad_request
from mautrix_whatsapp_py.errors import WhatsAppError
from mautrix_whatsapp_py.model.wa_link import (
    WaPairingFailed,
    WaPairingFailure,
    WaPairingStep,
    WaPhoneCode,
    WaQrCode,
)
from mautrix_whatsapp_py.ports import Clock, WaPairing, WhatsAppNetwork

CODE_AFTER_SECONDS = 3.0
NO_CUSTOM_CODE = (
    "The WhatsApp library makes up the pairing code itself and cannot be given one. "
    "Leave --custom-pairing-code out and use the code that is shown."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkWish:
    """Which account is to be linked, and how."""

    account: str | None = None
    phone: str = ""
    custom_code: str = ""


async def link(network: WhatsAppNetwork, wish: LinkWish, clock: Clock) -> AsyncIterator[WaPairingStep]:
    """The steps of an attempt, the last of which is WaPaired or WaPairingFailed."""
    if wish.custom_code:
        raise bad_request(NO_CUSTOM_CODE)
    try:
        pairing = await network.start_pairing()
    except WhatsAppError as error:
        yield WaPairingFailed(reason=_reason(error))
        return
    asking: asyncio.Task[WaPairingStep] | None = None
    steps = pairing.steps()
    following = asyncio.ensure_future(anext(steps))
    try:
        while True:
            waiting = {one for one in (following, asking) if one is not None}
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if asking is not None and asking in done:
                yield asking.result()
                asking = None
            if following in done:
                try:
                    step = following.result()
                except StopAsyncIteration:
                    return
                yield step
                if isinstance(step, WaQrCode) and wish.phone:
                    asking = asyncio.create_task(_ask_for_code(pairing, wish.phone, clock))
                    # Once: each code makes the one before it worthless.
                    wish = LinkWish(account=wish.account)
                following = asyncio.ensure_future(anext(steps))
    finally:
        for task in (following, asking):
            if task is not None:
                task.cancel()
        await pairing.cancel()


async def _ask_for_code(pairing: WaPairing, phone: str, clock: Clock) -> WaPairingStep:
    await clock.sleep(CODE_AFTER_SECONDS)
    try:
        code: WaPhoneCode = await pairing.request_phone_code(phone)
    except WhatsAppError as error:
        return WaPairingFailed(reason=_reason(error))
    return code


def _reason(error: WhatsAppError) -> WaPairingFailure:
    try:
        return WaPairingFailure(error.code)
    except ValueError:
        return WaPairingFailure.HOST
