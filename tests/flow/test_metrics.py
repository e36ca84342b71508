"""Figures of a bridge at work, and what is drawn and alerted from them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from mautrix_whatsapp_py.config.document import parse_yaml
from mautrix_whatsapp_py.errors import StoreUnavailable
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.backfill import BackfillRun, RunState
from mautrix_whatsapp_py.model.wa_link import WaHostStats, WaSessionStats, WaStateKind
from mautrix_whatsapp_py.ops.health import Health
from mautrix_whatsapp_py.ops.metrics import Meters, Metrics, Sources
from mautrix_whatsapp_py.store.backfills import BackfillRows
from tests.fakes.whatsapp import replace_state
from tests.flow.chat import LOGIN, Chat
from tests.flow.world import World

MONITORING = Path(__file__).parents[2] / "docker" / "monitoring"


def make_metrics(world: World, meters: Meters) -> Metrics:
    health = Health({}, clock=world.clock)
    health.start()
    return Metrics(
        Sources(
            logins=world.logins,
            network=world.network,
            store=world.store,
            health=health,
            clock=world.clock,
            meters=meters,
            started_at=0.0,
        )
    )


def value_of(text: str, figure: str) -> float:
    """The value of the only line that begins so."""
    (line,) = (line for line in text.splitlines() if line.startswith(f"mautrix_whatsapp_{figure} "))
    return float(line.rsplit(" ", 1)[1])


@pytest.fixture
def meters(world: World) -> Meters:
    meters = Meters()
    object.__setattr__(world.talk, "meter", meters)
    return meters


async def test_figures_follow_what_happens(world: World, meters: Meters) -> None:
    metrics = make_metrics(world, meters)
    chat = await Chat.open(world)
    await chat.hear("hello")
    text = await metrics.text()
    assert value_of(text, 'links{state="CONNECTED"}') == 1
    assert value_of(text, 'event_seconds_count{direction="to_matrix",kind="message"}') == 1
    assert value_of(text, "rooms") == value_of(text, "ready") == value_of(text, "database_up") == 1
    state = replace_state(chat.client.state, WaStateKind.TRANSIENT_DISCONNECT)
    world.network.set_state(LOGIN, state)
    await chat.say("waits")
    world.clock.advance(90)
    text = await metrics.text()
    assert value_of(text, 'links{state="TRANSIENT_DISCONNECT"}') == 1
    assert value_of(text, 'waiting_events{line="inbox"}') == 1
    assert value_of(text, 'oldest_waiting_seconds{line="inbox"}') >= 90
    assert LOGIN not in text


async def test_hosts_that_were_replaced_are_counted(world: World) -> None:
    metrics = make_metrics(world, Meters())
    for pid in (1, 1, 2, 3):
        session = WaSessionStats(login=LoginId("1"), restarts=2, pump_deaths=1, journal_depth=4)
        world.network.hosts = (WaHostStats(host="a", pid=pid, resident_bytes=5, sessions=(session,)),)
        text = await metrics.text()
    assert value_of(text, "host_restarts_total") == 2
    assert value_of(text, "pump_deaths") == 1
    assert value_of(text, "journal_depth") == 4
    assert value_of(text, 'host_resident_bytes{host="a"}') == 5


async def test_how_far_the_past_has_come(world: World) -> None:
    metrics = make_metrics(world, Meters())
    assert value_of(await metrics.text(), 'backfill_items{what="messages",part="total"}') == 0
    run = BackfillRun(
        login_id=LOGIN, state=RunState.RUNNING, started_at=world.clock.now(), chats_total=4, chats_done=1,
        messages_total=90, messages_done=30, files_total=5, files_done=2,
    )  # fmt: skip
    async with world.store.transaction() as tx:
        await BackfillRows().put_run(tx, run)
        await BackfillRows().put_run(tx, replace(run, login_id=LoginId("1"), messages_done=10))
    text = await metrics.text()
    wanted = {"chats": (2, 8), "messages": (40, 180), "files": (4, 10)}
    for what, (done, total) in wanted.items():
        assert value_of(text, f'backfill_items{{what="{what}",part="done"}}') == done
        assert value_of(text, f'backfill_items{{what="{what}",part="total"}}') == total


async def test_a_database_that_is_away_is_a_figure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_work: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(world.store, "read", fail)
    assert value_of(await make_metrics(world, Meters()).text(), "database_up") == 0


async def test_what_is_drawn_and_alerted_is_there(world: World) -> None:
    meters = Meters()
    meters.note_request("GET", "2xx", 0.1)
    meters.note_database("read", 0.1)
    await Chat.open(world)
    object.__setattr__(world.talk, "meter", meters)
    text = await make_metrics(world, meters).text()
    declared = set(re.findall(r"^# TYPE (\S+)", text, flags=re.MULTILINE))
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    rules = parse_yaml((MONITORING / "alerts.yaml").read_text())
    drawn = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    alerted = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    used = {
        re.sub("_(bucket|count|sum)$", "", name)
        for name in re.findall(r"mautrix_whatsapp_\w+", " ".join([*drawn, *alerted]))
    }
    assert used <= declared
    assert declared == {
        re.sub("_(bucket|count|sum)$", "", name) for name in re.findall(r"mautrix_whatsapp_\w+", " ".join(drawn))
    }
