"""The container is healthy when its bridge says that it is ready."""

from __future__ import annotations

import importlib.util
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from mautrix_whatsapp_py.config import AppserviceSection, Config
from tests.unit.config.samples import SMALLEST, with_line

SCRIPT = Path(__file__).resolve().parents[3] / "docker" / "healthcheck.py"


@pytest.fixture
def healthcheck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, with its data in a folder of the test."""
    monkeypatch.setenv("DATA_FOLDER", str(tmp_path))
    spec = importlib.util.spec_from_file_location("healthcheck", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def bridge_that_answers(status: int) -> Iterator[int]:
    """A server that is ready or not; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/_matrix/mau/ready" else 404)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(("status", "code"), [(200, 0), (500, 1), (404, 1)])
def test_answer_decides(healthcheck: ModuleType, tmp_path: Path, status: int, code: int) -> None:
    with bridge_that_answers(status) as port:
        (tmp_path / "config.yaml").write_text(with_line("appservice", f"port: {port}"))
        assert healthcheck.main() == code


def test_no_answer_is_not_ready(
    healthcheck: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(with_line("appservice", f"port: {free_port()}"))
    assert healthcheck.main() == 1
    assert capsys.readouterr().err.startswith("not ready: ")


@pytest.mark.parametrize("text", [None, SMALLEST.replace("as-secret", "")], ids=["absent", "unfilled"])
def test_without_a_configuration_it_is_not_ready(
    healthcheck: ModuleType, tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "config.yaml").write_text(text)
    assert healthcheck.main() == 1


@pytest.mark.parametrize(
    ("hostname", "host"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("bridge", "bridge"),
    ],
)
def test_asks_where_the_bridge_listens(healthcheck: ModuleType, hostname: str, host: str) -> None:
    config = Config(appservice=AppserviceSection(hostname=hostname, port=5))
    assert healthcheck.ready_url(config) == f"http://{host}:5/_matrix/mau/ready"
