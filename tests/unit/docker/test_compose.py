"""What the compose file says to the bridge and of files is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mautrix_whatsapp_py.config import PermissionLevel, read
from mautrix_whatsapp_py.config.document import parse_yaml
from mautrix_whatsapp_py.ids import MxUserId
from tests.unit.config.samples import SMALLEST

DOCKER = Path(__file__).resolve().parents[3] / "docker"
VARIABLES = {"SERVER_NAME": "hs.test", "ADMIN": "@me:hs.test", "POSTGRES_PASSWORD": "pw"}


def compose() -> dict[str, Any]:
    """The file with its variables filled in."""
    text = re.sub(
        r"\$\{(\w+)(:\?[^}]*)?\}", lambda match: VARIABLES[match[1]], (DOCKER / "compose.yaml").read_text()
    )
    values = parse_yaml(text)
    assert isinstance(values, dict)
    return values


def test_bridge_understands_its_environment(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SMALLEST)
    loaded = read(tmp_path / "config.yaml", compose()["services"]["bridge"]["environment"])
    config = loaded.config
    assert loaded.ignored == ()
    assert config.database.uri == "postgresql://bridge:pw@postgres/bridge"
    assert config.bot_id == "@whatsappbot:hs.test"
    assert config.bridge.permissions.get_permission(MxUserId("@me:hs.test")).level is PermissionLevel.ADMIN
    assert config.bridge.permissions.get_permission(MxUserId("@you:hs.test")).level is PermissionLevel.USER


def test_files_it_mounts_are_here() -> None:
    volumes = [volume for service in compose()["services"].values() for volume in service["volumes"]]
    mounted = [volume.split(":")[0] for volume in volumes if volume.startswith("./")]
    assert len(mounted) == 2
    assert not [path for path in mounted if not (DOCKER / path).exists()]


def test_synapse_reads_the_registration_where_the_bridge_writes_it() -> None:
    services = compose()["services"]
    synapse = parse_yaml((DOCKER / "synapse" / "homeserver.yaml").read_text())
    assert "bridge:/data" in services["bridge"]["volumes"]
    assert "bridge:/bridge:ro" in services["synapse"]["volumes"]
    assert synapse["app_service_config_files"] == ["/bridge/registration.yaml"]


def test_variables_it_asks_for_are_in_the_example() -> None:
    named = set(re.findall(r"\$\{(\w+)", (DOCKER / "compose.yaml").read_text()))
    offered = set(re.findall(r"(?m)^(\w+)=", (DOCKER / "env.example").read_text()))
    assert named == offered


def test_image_runs_as_a_plain_user_and_checks_its_health() -> None:
    lines = (DOCKER / "Dockerfile").read_text().splitlines()
    users = [line for line in lines if line.startswith("USER ")]
    assert users == ["USER 1337:1337"]
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    assert any("--require-hashes" in line for line in lines)
