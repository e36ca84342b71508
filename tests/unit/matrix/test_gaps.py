"""Transactions that the homeserver left behind."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import MxTxnId
from mautrix_whatsapp_py.matrix.gaps import FALSE_ALARMS, GapWatch


class Homeserver:
    """Sends transactions as Synapse does: after a refusal everything unsent, the oldest first."""

    def __init__(self) -> None:
        self.watch = GapWatch()
        self.taken: list[str] = []
        self.refusals = 0

    def send(self, *txn_ids: str, left_behind: tuple[str, ...] = ()) -> None:
        for txn_id in txn_ids:
            if self.watch.must_refuse(MxTxnId(txn_id)):
                self.refusals += 1
                for left in left_behind:
                    self._take(left)
                assert not self.watch.must_refuse(MxTxnId(txn_id))
            self._take(txn_id)

    def _take(self, txn_id: str) -> None:
        self.watch.accept(MxTxnId(txn_id))
        self.taken.append(txn_id)


def test_a_transaction_that_was_left_behind_comes_first() -> None:
    homeserver = Homeserver()
    homeserver.send("7", "8")
    homeserver.send("10", left_behind=("9",))
    homeserver.send("11", "14", left_behind=("12", "13"))
    assert homeserver.taken == ["7", "8", "9", "10", "11", "12", "13", "14"]
    assert homeserver.refusals == 2


def test_where_others_use_up_numbers_it_learns_to_keep_still() -> None:
    homeserver = Homeserver()
    homeserver.send(*[str(number) for number in range(0, 200, 3)])
    assert homeserver.refusals == FALSE_ALARMS
    assert len(homeserver.taken) == 67


def test_numbers_that_begin_again_and_ids_that_are_none_are_taken() -> None:
    homeserver = Homeserver()
    homeserver.send("500", "1", "2", "abc", "3", "٤", "9" * 40, "4", "4", "3")
    assert homeserver.refusals == 0
