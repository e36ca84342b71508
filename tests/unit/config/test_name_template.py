"""Templates of names."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.bridge.names import shown_name
from mautrix_whatsapp_py.config.name_template import BadTemplate, decode_template
from mautrix_whatsapp_py.ids import MxUserId, PersonId
from mautrix_whatsapp_py.model.people import NameRank, Person

REFERENCE = '{{or .BusinessName .PushName .Phone .RedactedPhone "Unknown user"}} (WA)'


def person(name: str = "", rank: NameRank = NameRank.NONE, pn: str | None = "1555") -> Person:
    return Person(id=PersonId(1), ghost=MxUserId("@g:x"), pn=pn, lid="9", name=name, name_rank=rank)


@pytest.mark.parametrize(
    ("template", "who", "shown"),
    [
        (REFERENCE, person("Ben", NameRank.PUSH), "Ben (WA)"),
        (REFERENCE, person("Shop", NameRank.BUSINESS), "Shop (WA)"),
        (REFERENCE, person(), "+1555 (WA)"),
        (REFERENCE, person(pn=None), "Unknown user (WA)"),
        ("{{.PushName}}", person(), "WhatsApp user"),
        ("{{.PushName}} on {{.Phone}}", person("👩‍👧", NameRank.PUSH), "👩‍👧 on +1555"),
        ("{{ or .Notify .VName }}", person("Shop", NameRank.BUSINESS), "Shop"),
        ("{{.FullName}}{{.JID}}", person("Ben", NameRank.PUSH), "1555@s.whatsapp.net"),
    ],
)
def test_names(template: str, who: Person, shown: str) -> None:
    assert shown_name(who, decode_template(template)) == shown


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("(WA)", "must say who it is"),
        ("{{.PushName", "too many"),
        ("{{.PushName}} }}", "too many"),
        ("{{.Nickname}}", "knows no .Nickname"),
        ("{{if .PushName}}x{{end}}", "cannot hold {{if .PushName}}"),
        ("{{.PushName .Phone}}", "several names"),
        ("{{or}}", "cannot hold {{or}}"),
        ("{{}}", "cannot hold {{}}"),
    ],
)
def test_templates_that_cannot_be_used(template: str, problem: str) -> None:
    with pytest.raises(BadTemplate, match=problem.replace("{", r"\{").replace(".", r"\.")):
        decode_template(template)
