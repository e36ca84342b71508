"""Figures as Prometheus reads them."""

from __future__ import annotations

from mautrix_whatsapp_py.ops.exposition import Durations, Family


def test_a_family_with_labels_that_need_escapes() -> None:
    family = Family(name="links", help="Links.", rows=[({"state": 'a"b\\c\nd'}, 2), ({}, 0.5)])
    assert list(family.lines()) == [
        "# HELP mautrix_whatsapp_links Links.",
        "# TYPE mautrix_whatsapp_links gauge",
        'mautrix_whatsapp_links{state="a\\"b\\\\c\\nd"} 2',
        "mautrix_whatsapp_links 0.5",
    ]


def test_durations_count_everything_at_or_below_a_limit() -> None:
    durations = Durations("x_seconds", "X.", ("kind",))
    for seconds in (0.005, 0.006, 1000.0, -1.0):
        durations.note(("a",), seconds)
    lines = list(durations.lines())
    assert 'mautrix_whatsapp_x_seconds_bucket{kind="a",le="0.005"} 2' in lines
    assert 'mautrix_whatsapp_x_seconds_bucket{kind="a",le="0.01"} 3' in lines
    assert 'mautrix_whatsapp_x_seconds_bucket{kind="a",le="300"} 3' in lines
    assert 'mautrix_whatsapp_x_seconds_bucket{kind="a",le="+Inf"} 4' in lines
    assert 'mautrix_whatsapp_x_seconds_count{kind="a"} 4' in lines
    assert any(line.startswith('mautrix_whatsapp_x_seconds_sum{kind="a"} 1000.011') for line in lines)
