"""The document that describes the channel's operations."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.channel.web.openapi import OPERATIONS, make_document

ROOT = Path(__file__).resolve().parents[3]


def test_the_document_in_the_package_is_the_one_that_is_served() -> None:
    shipped = files("mautrix_whatsapp_py.channel.web").joinpath("openapi.json").read_text(encoding="utf-8")
    document = json.loads(shipped)
    document["info"]["version"] = __version__
    assert document == make_document(__version__)


def test_every_reference_leads_somewhere() -> None:
    document = make_document("1")
    names = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert names == set(document["components"]["schemas"])


def test_the_page_names_every_operation_and_status() -> None:
    page = (ROOT / "docs" / "channel.md").read_text(encoding="utf-8")
    for operation in OPERATIONS:
        assert operation.path.split("{")[0].rsplit("/", 1)[-1] in page, operation.path
    statuses = {fault for operation in OPERATIONS for fault in operation.faults}
    assert all(f"| {status} |" in page for status in statuses)
