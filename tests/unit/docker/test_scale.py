"""The examples for several workers say what the program understands."""

from __future__ import annotations

import re
from pathlib import Path

from ruamel.yaml import YAML

from mautrix_whatsapp_py.config import read
from tests.unit.config.samples import SMALLEST

DOCKER = Path(__file__).resolve().parents[3] / "docker"
POSTGRES = {"MAUTRIX_WHATSAPP_DATABASE__URI": "postgresql://u@h/d"}


def test_each_worker_of_the_compose_file_has_a_name_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    services = YAML(typ="safe").load((DOCKER / "compose.scale.yaml").read_text())["services"]
    names = []
    for name in ("bridge", "bridge1", "bridge2"):
        loaded = read(tmp_path / "config.yaml", {**services[name]["environment"], **POSTGRES})
        assert loaded.config.cluster.enabled
        assert loaded.config.appservice.address == "http://balancer:29318"
        names.append(loaded.config.cluster.worker)
    assert len(set(names)) == 3
    ways = (DOCKER / "haproxy.cfg").read_text()
    balanced = re.findall(r"server \w+ (\w+):29318", ways)
    assert set(balanced) == {"bridge", "bridge1", "bridge2"}
    # Whoever lives takes everything where nobody leads.
    assert set(re.findall(r"server any\d (\w+):29318 track live/w\d backup", ways)) == set(balanced)
    assert set(re.findall(r"server (\w+):29318", (DOCKER / "nginx.conf").read_text())) == set(balanced)


def test_pods_are_named_after_themselves() -> None:
    workers, service, budget = YAML(typ="safe").load_all((DOCKER / "kubernetes.yaml").read_text())
    (container,) = workers["spec"]["template"]["spec"]["containers"]
    assert [variable["name"] for variable in container["env"]] == [
        "MAUTRIX_WHATSAPP_CLUSTER__ENABLED",
        "MAUTRIX_WHATSAPP_CLUSTER__WORKER",
    ]
    labels = workers["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == labels == budget["spec"]["selector"]["matchLabels"]
    assert budget["spec"]["minAvailable"] < workers["spec"]["replicas"]
