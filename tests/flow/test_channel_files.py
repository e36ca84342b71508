"""Files through the channel, and the places they must not come from."""

from __future__ import annotations

import io
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer
from PIL import Image

from mautrix_whatsapp_py.channel.faults import ChannelFault
from mautrix_whatsapp_py.channel.fetching import Fetcher, PublicResolver, is_public, require_public
from mautrix_whatsapp_py.model.content import WaKind, WaText
from mautrix_whatsapp_py.model.media import WaFile, WaMedia
from mautrix_whatsapp_py.store.store import Store
from tests.flow.channel_desk import BEN, Desk, desk_of

TO_BEN = f"contact:+{BEN}"


@pytest.fixture
async def desk(store: Store, tmp_path: Path) -> AsyncIterator[Desk]:
    roots = (str(tmp_path / "shared"),)
    (tmp_path / "shared").mkdir()
    async with desk_of(
        store, tmp_path / "desk", allow_from=("*",), media_roots=roots, outbound_media_max_mb=1, media_max_mb=2
    ) as desk:
        yield desk


def sent_media(desk: Desk) -> WaMedia:
    content = desk.client.messages[-1].content
    assert isinstance(content, WaMedia)
    return content


def noise(side: int) -> bytes:
    """A picture that compresses badly."""
    image = Image.effect_noise((side, side), 100).convert("RGB")
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()


async def upload(desk: Desk, data: bytes, name: str) -> str:
    async with desk.http.post(f"/v1/uploads?name={name}", data=io.BytesIO(data)) as response:
        assert response.status == 200
        return str((await response.json())["upload"])


async def test_an_inbound_file_is_named_and_fetched_until_it_is_acknowledged(desk: Desk) -> None:
    file = WaFile(direct_path="/v/1", media_key=b"k", sha256=b"s", enc_sha256=b"e", size_bytes=5)
    desk.shelf.files["/v/1"] = b"image"
    await desk.hear(WaMedia(kind=WaKind.IMAGE, file=file, mime_type="image/jpeg", caption="look"))
    (item,) = await desk.batch()
    assert item["text"] == "<media:image> look"
    (resource,) = item["delivery"]["resources"]
    path = resource.pop("url").partition("127.0.0.1:39731")[2]
    assert resource == {"kind": "image", "mime": "image/jpeg", "size": 5, "name": ""}
    assert await desk.call("GET", path) == (200, b"image")
    assert (await desk.call("GET", path + "0"))[0] == 404
    desk.shelf.files.clear()
    assert (await desk.call("GET", path))[0] == 503
    await desk.ack(item)
    assert (await desk.call("GET", path))[0] == 404


async def test_an_inbound_file_above_the_cap_is_not_fetched(desk: Desk) -> None:
    file = WaFile(direct_path="/v/1", media_key=b"k", sha256=b"s", enc_sha256=b"e", size_bytes=3 << 20)
    await desk.hear(WaMedia(kind=WaKind.VIDEO, file=file, mime_type="video/mp4"))
    (item,) = await desk.batch()
    path = item["delivery"]["resources"][0]["url"].partition("127.0.0.1:39731")[2]
    assert (await desk.call("GET", path))[0] == 413


@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [
        ("a.jpg", {}, WaKind.IMAGE),
        ("a.mp4", {}, WaKind.VIDEO),
        ("a.mp4", {"gif_playback": True}, WaKind.GIF),
        ("a.ogg", {}, WaKind.VOICE),
        ("a.mp3", {}, WaKind.AUDIO),
        ("a.pdf", {}, WaKind.DOCUMENT),
        ("a.jpg", {"as_document": True}, WaKind.DOCUMENT),
    ],
)
async def test_a_file_goes_as_what_it_is(desk: Desk, name: str, options: dict[str, bool], kind: WaKind) -> None:
    media = {"upload": await upload(desk, b"data", name), **options}
    status, answer = await desk.call("POST", "/v1/messages", {"target": TO_BEN, "text": "look", "media": media})
    assert status == 200, answer
    assert (sent_media(desk).kind, sent_media(desk).caption) == (kind, "look")
    assert desk.client.uploads == [(b"data", kind)]
    if kind is WaKind.VOICE:
        assert sent_media(desk).mime_type == "audio/ogg; codecs=opus"


async def test_pictures_are_made_to_fit_and_other_files_are_left_out(desk: Desk) -> None:
    big = noise(750)
    assert len(big) > 1 << 20
    media = {"upload": await upload(desk, big, "big.png")}
    assert (await desk.call("POST", "/v1/messages", {"target": TO_BEN, "media": media}))[0] == 200
    data, kind = desk.client.uploads[-1]
    assert (kind, len(data) <= 1 << 20) == (WaKind.IMAGE, True)
    media = {"upload": await upload(desk, b"x" * ((1 << 20) + 1), "big.pdf")}
    assert (await desk.call("POST", "/v1/messages", {"target": TO_BEN, "media": media}))[0] == 413
    body = {"target": TO_BEN, "text": "see this", "media": media}
    assert (await desk.call("POST", "/v1/messages", body))[0] == 200
    last = [one.content for one in desk.client.messages[-2:]]
    assert isinstance(last[0], WaText)
    assert isinstance(last[1], WaText)
    assert (last[0].body, "left out" in last[1].body) == ("see this", True)
    async with desk.http.post("/v1/uploads", data=io.BytesIO(b"x" * ((2 << 20) + 1))) as response:
        assert response.status == 413


async def test_local_files_come_from_the_allowed_folders_only(desk: Desk, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    (shared / "a.txt").write_text("fine")
    (tmp_path / "secret.txt").write_text("secret")
    (shared / "link.txt").symlink_to(tmp_path / "secret.txt")
    (shared / "folder").symlink_to(tmp_path)
    allowed = {"target": TO_BEN, "media": {"url": (shared / "a.txt").as_uri()}}
    assert (await desk.call("POST", "/v1/messages", allowed))[0] == 200
    for url in (
        (tmp_path / "secret.txt").as_uri(),
        f"file://{shared}/../secret.txt",
        f"file://{shared}/%2e%2e/secret.txt",
        (shared / "link.txt").as_uri(),
        (shared / "folder" / "secret.txt").as_uri(),
        shared.as_uri(),
        "file:///etc/passwd",
        f"file://{shared}-other/a.txt",
        f"file://{shared}/a%00.txt",
    ):
        body = {"target": TO_BEN, "media": {"url": url}}
        assert (await desk.call("POST", "/v1/messages", body))[0] == 403, url
    assert (await desk.call("POST", "/v1/messages", {"target": TO_BEN, "media": {"url": "file://host/a"}}))[
        0
    ] == 400
    assert len(desk.client.uploads) == 1


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
     "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
     "x"],
)  # fmt: skip
def test_private_addresses_are_none_to_fetch_from(address: str) -> None:
    assert not is_public(address)


def test_public_addresses_are() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/", "http://[::1]/",
     "http://[::ffff:10.0.0.1]/", "http://user:word@example.com/", "ftp://example.com/", "http:///x", "http://"],
)  # fmt: skip
def test_urls_that_lead_here_are_refused(url: str) -> None:
    with pytest.raises(ChannelFault):
        require_public(url)


class _Names(AbstractResolver):
    """Names for tests: what `public.example` is, looks public to the check of the first server only."""

    def __init__(self, table: dict[str, list[str]]) -> None:
        self._table = table

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in self._table[host]
        ]

    async def close(self) -> None:
        pass


async def test_names_that_lead_to_private_addresses_are_refused(desk: Desk, tmp_path: Path) -> None:
    names = {"inside.example": ["10.0.0.1"], "mixed.example": ["93.184.216.34", "127.0.0.1"], "none.example": []}
    fetcher = Fetcher(_Names(names))
    for host in names:
        with pytest.raises(ChannelFault, match="private network"):
            await fetcher.fetch(f"http://{host}/a", tmp_path / "out", max_bytes=10)
    status, answer = await desk.call(
        "POST", "/v1/messages", {"target": TO_BEN, "media": {"url": "http://localhost:1/a.jpg"}}
    )
    assert (status, "private" in answer["error"]) == (403, True)


async def test_redirects_are_looked_at_like_the_first_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server stands for one on the internet: its own name is let through, what it leads to is not."""

    async def answer(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name == "large":
            return web.Response(body=b"x" * 100)
        if name == "fine":
            return web.Response(body=b"fine")
        targets = {"inside": "http://10.0.0.1/", "literal": "http://[::1]/", "file": "file:///etc/passwd",
                   "loop": "/loop", "here": "/fine"}  # fmt: skip
        return web.Response(status=302, headers={"Location": targets[name]})

    app = web.Application()
    app.router.add_get("/{name}", answer)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()

    class _Lenient(PublicResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[ResolveResult]:
            return await _Names({"public.example": ["127.0.0.1"]}).resolve(host, port, family)

    monkeypatch.setattr("mautrix_whatsapp_py.channel.fetching.PublicResolver", _Lenient)
    base = f"http://public.example:{server.port}"
    await Fetcher().fetch(f"{base}/here", tmp_path / "fine", max_bytes=10)
    assert (tmp_path / "fine").read_bytes() == b"fine"
    words = {
        "inside": "private",
        "literal": "private",
        "file": "must begin",
        "loop": "too often",
        "large": "too large",
    }
    for name, word in words.items():
        with pytest.raises(ChannelFault, match=word):
            await Fetcher().fetch(f"{base}/{name}", tmp_path / f"out-{name}", max_bytes=10)
    await server.close()
