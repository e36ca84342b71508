"""Chromium without a window, driven through its debugging protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

WAIT_SECONDS = 30
WENT_ON = -32000
"""The protocol's answer when the page was left before it could tell."""


class WentOnError(Exception):
    """The page that was asked is not there any more."""


class Tab:
    """The only page of a browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.complaints: list[str] = []
        """What the page's console said that is no good."""

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the protocol; what it results in."""
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = await self._socket.receive_json(timeout=WAIT_SECONDS)
            if message.get("method") == "Log.entryAdded":
                self.complaints.append(str(message["params"]["entry"]["text"]))
            if message.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(str(message["params"]["exceptionDetails"]))
            if message.get("id") == number:
                if message.get("error", {}).get("code") == WENT_ON:
                    raise WentOnError
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    async def eval(self, expression: str) -> Any:
        """The value of some JavaScript."""
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return result["result"].get("value")

    async def open(self, url: str) -> None:
        """Go somewhere."""
        await self.call("Page.navigate", url=url)

    async def until(self, expression: str) -> Any:
        """Wait until some JavaScript is true, on this page or the next; its value."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not (value := await self._eval_now(expression)):
                await asyncio.sleep(0.05)
        return value

    async def _eval_now(self, expression: str) -> Any:
        try:
            return await self.eval(f"(() => {{ try {{ return {expression} }} catch {{ return null }} }})()")
        except WentOnError:
            return None

    async def shows(self, text: str) -> None:
        """Wait until a text is to be read."""
        await self.until(f"document.body.innerText.includes({text!r})")

    async def press(self, *keys: str) -> None:
        """Use the keyboard: Tab and Enter."""
        codes = {"Tab": 9, "Enter": 13}
        for key in keys:
            common = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
            text = {"text": "\r"} if key == "Enter" else {}
            await self.call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
            await self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    async def click(self, selector: str) -> None:
        """Click something."""
        await self.until(f"document.querySelector({selector!r}) !== null")
        await self.eval(f"document.querySelector({selector!r}).click()")

    async def picture(self, path: Path) -> None:
        """Take a screenshot."""
        shot = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def chromium(folder: Path, *, width: int = 390, height: int = 844) -> AsyncIterator[Tab]:
    """A browser with a profile of its own, as wide as a phone."""
    folder.mkdir(parents=True, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", "--disable-background-networking", "--remote-debugging-port=0",
        f"--user-data-dir={folder}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        port = await _find_port(folder / "DevToolsActivePort")
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://127.0.0.1:{port}/json/list") as response:
                pages = [target for target in await response.json() if target["type"] == "page"]
            async with http.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                tab = Tab(socket)
                for domain in ("Page", "Runtime", "Log", "Accessibility"):
                    await tab.call(f"{domain}.enable")
                await tab.call(
                    "Emulation.setDeviceMetricsOverride",
                    width=width,
                    height=height,
                    deviceScaleFactor=2,
                    mobile=True,
                )
                yield tab
    finally:
        process.terminate()
        await process.wait()


async def _find_port(path: Path) -> int:
    async with asyncio.timeout(WAIT_SECONDS):
        while not (path.exists() and path.read_text().count("\n")):
            await asyncio.sleep(0.05)
    return int(path.read_text().splitlines()[0])
