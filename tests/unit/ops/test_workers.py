"""What is said of workers."""

from __future__ import annotations

from mautrix_whatsapp_py.ops.leadership import LEAD
from mautrix_whatsapp_py.ops.workers import Waiting, report_on
from mautrix_whatsapp_py.store.holdings import Holdings
from mautrix_whatsapp_py.store.leases import Lease, LeaseState, WorkerState


def worker(name: str, *, age: float = 1.0, is_draining: bool = False) -> WorkerState:
    return WorkerState(name=name, holder=f"{name} 1", version="1", is_draining=is_draining, age_seconds=age)


def lease(holder: str, left: float) -> LeaseState:
    return LeaseState(lease=Lease(name=LEAD, holder=holder, epoch=4), left_seconds=left, held_seconds=61.2)


NOTHING = Waiting(matrix=0, whatsapp=0, oldest_seconds=0.0)
WORKERS = [worker("a"), worker("bb", is_draining=True), worker("c", age=30), worker("d")]


def test_everybody_has_a_state() -> None:
    counts = [Holdings(holder="a 1", logins=7, moves=9), Holdings(holder="gone 1", logins=2, moves=1)]
    waiting = Waiting(matrix=2, whatsapp=3, oldest_seconds=4.4)
    report = report_on(WORKERS, [lease("a 1", 5)], counts, ttl_seconds=10, waiting=waiting)
    assert [line.state for line in report.workers] == ["leads", "drains", "silent", "works"]
    assert (report.leader, report.epoch) == ("a", 4)
    assert report.lines[0] == "a leads for 61 s, epoch 4"
    assert report.lines[1] == "a   leads   7 logins  1  heard of 1 s ago"
    assert report.lines[-2] == "logins: 2 without a worker, 10 moves so far"
    assert report.lines[-1] == "waiting: 2 from Matrix, 3 from WhatsApp, the oldest for 4 s"


def test_nobody_leads_with_a_lease_that_ran_out() -> None:
    report = report_on(WORKERS[:1], [lease("a 1", -1)], [], ttl_seconds=10, waiting=NOTHING)
    assert report.leader is None
    assert report.lines[0] == "nobody leads"
    assert report.workers[0].state == "works"


def test_a_leader_that_signed_off_is_named_by_its_run() -> None:
    report = report_on([], [lease("gone 1", 1)], [], ttl_seconds=10, waiting=NOTHING)
    assert report.leader == "gone 1"
