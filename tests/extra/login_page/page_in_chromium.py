"""The login page in a real browser: real homeserver, real bridge, real client library, simulated phone."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from tests.conftest import MakeBridge, MakeSynapse
from tests.extra.login_page.chromium import Tab, chromium
from tests.flow.linking_stage import Seat
from tests.homeserver import PortPool, Registration
from tests.simulator.api import Account, Simulator, host_command, simulator

_LINK = re.compile(r"http://\S+/login/open/\S+")
NUMBER = "15550001111"
SCREENSHOTS = os.environ.get("SCREENSHOTS")
AXE = Path(os.environ["AXE"]).read_text()
"""Finds what keeps people from using a page."""


@dataclass(slots=True, kw_only=True)
class Desk:
    """Alice with her phone and a browser."""

    wa: Simulator
    alice: Seat
    bob: Seat
    phone: Account
    tab: Tab
    folder: Path

    async def link_of(self, seat: Seat) -> str:
        """A link to the page."""
        found = _LINK.search(await seat.ask("login web", answer="Open this in your browser"))
        assert found is not None
        return found[0]

    async def read_qr(self) -> str:
        """What a phone reads from the screen."""
        await self.tab.until(
            "document.querySelector('img.qr').complete && document.querySelector('img.qr').naturalWidth"
        )
        await self.tab.eval("document.querySelector('img.qr').scrollIntoView()")
        path = self.folder / "screen.png"
        await self.tab.picture(path)
        with Image.open(path) as image:
            (found,) = zxingcpp.read_barcodes(image.convert("L"), formats=zxingcpp.BarcodeFormat.QRCode)
        return found.text

    async def look_over(self) -> None:
        """What the page shows now can be used by everybody."""
        await self.tab.eval(f"{AXE}; undefined")
        findings = await self.tab.eval(
            "axe.run().then(found => found.violations"
            ".map(one => `${one.impact} ${one.id}: ${one.nodes.map(node => node.html).join(' ')}`))"
        )
        assert findings == []

    async def keep(self, name: str) -> None:
        """Take a screenshot where they are wanted."""
        if SCREENSHOTS:
            await self.tab.eval("scrollTo(0, 0)")
            await self.tab.picture(Path(SCREENSHOTS) / f"{name}.png")


@pytest.fixture
async def desk(
    tmp_path: Path, make_synapse: MakeSynapse, make_bridge: MakeBridge, ports: PortPool
) -> AsyncIterator[Desk]:
    async with simulator(tmp_path / "wa") as wa, chromium(tmp_path / "profile") as tab:
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration)
        sections = {"whatsapp": {"host_command": list(host_command(wa))}}
        bridge = make_bridge(synapse.url, registration, port=port, sections=sections)
        await bridge.start()
        yield Desk(
            wa=wa,
            alice=await Seat.take(await synapse.create_client("alice"), bridge),
            bob=await Seat.take(await synapse.create_client("bob"), bridge),
            phone=wa.add_account(NUMBER, "Alice"),
            tab=tab,
            folder=tmp_path,
        )
        assert "Traceback" not in bridge.output


async def test_the_login_page(desk: Desk) -> None:
    """By keyboard to the QR code, scanned from the screen; then a code, a stop, a logout, a used link."""
    tab = desk.tab
    link = await desk.link_of(desk.alice)
    await tab.open(link)
    await tab.until("document.activeElement.textContent === 'Continue'")
    await desk.look_over()
    await tab.press("Enter")
    await tab.shows("Show a QR code")
    await desk.look_over()
    await tab.press("Tab")
    assert await tab.eval("document.activeElement.textContent") == "Show a QR code"
    await tab.press("Enter")
    await tab.shows("Point it at this code")
    await tab.until("document.querySelector('.countdown').textContent.includes('A new code follows')")
    assert await tab.eval("document.documentElement.scrollWidth <= innerWidth")
    await desk.keep("login-qr")
    await desk.look_over()
    await tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert await tab.eval("getComputedStyle(document.body).backgroundColor") == "rgb(16, 22, 20)"
    await desk.keep("login-qr-dark")
    await desk.look_over()
    await desk.phone.phone.scan(await desk.read_qr())
    await tab.shows(f"+{NUMBER} is linked.")
    await desk.keep("login-linked")
    await desk.look_over()
    await tab.eval("document.getElementById('phone').value = '+1 555 000 1111'")
    await tab.click("#phone + button")
    await tab.until("/^[A-Z0-9]{4}-[A-Z0-9]{4}$/.test(document.querySelector('.code').textContent)")
    await desk.look_over()
    await tab.click("form[action='/login/cancel'] button")
    await tab.shows("was cancelled")
    await tab.click("form[action='/login/logout'] button")
    await tab.shows("You have linked none.")
    assert desk.phone.devices == {}
    await tab.open(link)
    await tab.shows("This link was used already")
    await tab.open(await desk.link_of(desk.bob))
    await tab.click("button")
    await tab.shows("@bob:localhost")
    assert tab.complaints == [] or all("403" in complaint for complaint in tab.complaints)
    names = await tab.eval(
        "[...document.querySelectorAll('button, input:not([type=hidden])')]"
        ".filter(one => !(one.textContent.trim() || one.labels?.length || one.ariaLabel)).length"
    )
    assert names == 0
