from __future__ import annotations

from typing import Any

import pytest

from mautrix_whatsapp_py.ids import MxEventId
from mautrix_whatsapp_py.matrix.encode import encode_notice
from mautrix_whatsapp_py.model.mx import MxNotice

BASE = {"msgtype": "m.notice", "m.mentions": {}}
HTML = {"format": "org.matrix.custom.html"}
GOLDEN: list[tuple[MxNotice, dict[str, Any]]] = [
    (MxNotice(body="a"), {**BASE, "body": "a"}),
    (MxNotice(body=""), {**BASE, "body": ""}),
    (MxNotice(body="a", html="<b>a</b>"), {**BASE, **HTML, "body": "a", "formatted_body": "<b>a</b>"}),
    (
        MxNotice(body="a", reply_to=MxEventId("$1")),
        {**BASE, "body": "a", "m.relates_to": {"m.in_reply_to": {"event_id": "$1"}}},
    ),
    (
        MxNotice(body="a", html="<b>a</b>", edits=MxEventId("$1"), reply_to=MxEventId("$2")),
        {
            **BASE,
            **HTML,
            "body": "* a",
            "formatted_body": "* <b>a</b>",
            "m.new_content": {**BASE, **HTML, "body": "a", "formatted_body": "<b>a</b>"},
            "m.relates_to": {"rel_type": "m.replace", "event_id": "$1"},
        },
    ),
]


@pytest.mark.parametrize(("notice", "content"), GOLDEN)
def test_notices(notice: MxNotice, content: dict[str, Any]) -> None:
    assert encode_notice(notice) == content
