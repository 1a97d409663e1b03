from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.metrics import Metrics
from serving.shipper import Shipper


class Store:
    """Takes batches; fails as told, and can be held shut."""

    def __init__(self, failures=()):
        self.failures = list(failures)
        self.batches = []
        self.attempts = []
        self.open = threading.Event()
        self.open.set()

    def write(self, batch):
        self.attempts.append(list(batch))
        self.open.wait(10)
        if self.failures and (error := self.failures.pop(0)) is not None:
            raise error
        self.batches.append(list(batch))


class Case:
    def __init__(self, store, **changes):
        self.metrics = Metrics("m")
        options = {
            "flush_rows": 3,
            "flush_s": 3_600.0,
            "capacity": 1_000,
            "retry_first_s": 0.001,
            "retry_cap_s": 0.002,
        }
        self.shipper = Shipper(store.write, self.metrics.log("features"), **(options | changes))
        self.shipper.start()

    def rows(self, kind):
        suffix = "" if kind == "buffered" else "_total"
        return self.metrics.registry.get_sample_value(
            f"serving_log_{kind}_rows{suffix}", {"model": "m", "log": "features"}
        )


def eventually(condition, timeout_s=5.0):
    end = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    assert condition()


def test_a_batch_leaves_at_its_number_of_rows():
    store = Store()
    case = Case(store)
    case.shipper.offer([(1,), (2,)])
    time.sleep(0.05)
    assert store.attempts == []
    case.shipper.offer([(3,)])
    eventually(lambda: store.batches == [[(1,), (2,), (3,)]])
    assert case.shipper.close(1) == 0


def test_a_batch_leaves_at_its_age():
    store = Store()
    case = Case(store, flush_s=0.05)
    started = time.monotonic()
    case.shipper.offer([(1,)])
    eventually(lambda: store.batches == [[(1,)]])
    assert time.monotonic() - started >= 0.05
    case.shipper.close(1)


def test_what_arrives_during_a_slow_put_leaves_as_one_batch():
    store = Store()
    store.open.clear()
    case = Case(store)
    case.shipper.offer([(n,) for n in range(3)])
    eventually(lambda: len(store.attempts) == 1)
    for n in range(3, 50):
        case.shipper.offer([(n,)])
    store.open.set()
    eventually(lambda: [len(b) for b in store.batches] == [3, 47])
    case.shipper.close(1)


def test_closing_writes_the_rest():
    store = Store()
    case = Case(store)
    case.shipper.offer([(1,)])
    assert case.shipper.close(5) == 0
    assert store.batches == [[(1,)]]


def test_a_failed_put_is_tried_again_with_the_very_same_rows():
    store = Store([OSError("gone"), OSError("gone")])
    case = Case(store)
    store.open.clear()
    case.shipper.offer([(1,), (2,), (3,)])
    eventually(lambda: len(store.attempts) == 1)
    case.shipper.offer([(4,)])
    store.open.set()
    eventually(lambda: len(store.batches) == 1)
    assert store.attempts == [[(1,), (2,), (3,)]] * 3
    assert (
        case.metrics.registry.get_sample_value(
            "serving_log_put_failures_total", {"model": "m", "log": "features"}
        )
        == 2
    )
    case.shipper.close(1)
    assert store.batches == [[(1,), (2,), (3,)], [(4,)]]


def test_rows_that_no_table_can_hold_are_dropped_counted_and_do_not_block_the_next():
    store = Store([ValueError("no timestamp")])
    case = Case(store, flush_rows=1)
    case.shipper.offer([("bad",)])
    eventually(lambda: case.rows("dropped") == 1)
    case.shipper.offer([("good",)])
    eventually(lambda: store.batches == [[("good",)]])
    case.shipper.close(1)


def test_a_full_buffer_takes_all_rows_of_an_offer_or_none():
    store = Store()
    store.open.clear()
    case = Case(store, capacity=5)
    assert case.shipper.offer([(n,) for n in range(3)])
    eventually(lambda: len(store.attempts) == 1)
    assert not case.shipper.offer([(n,) for n in range(3)]), "rows of a put under way count as held"
    assert case.shipper.offer([(n,) for n in range(2)])
    assert case.shipper.full
    store.open.set()
    case.shipper.close(1)
    assert sum(map(len, store.batches)) == 5


def test_a_stop_with_the_store_away_ends_in_time_and_counts_what_was_lost(caplog):
    store = Store([OSError("gone")] * 100_000)
    case = Case(store)
    case.shipper.offer([(n,) for n in range(4)])
    started = time.monotonic()
    assert case.shipper.close(0.2) == 4
    assert time.monotonic() - started < 1
    assert case.rows("dropped") == 4
    assert "stopped with 4 rows" in caplog.text
    store.failures.clear()  # lets the thread end


@settings(max_examples=25, deadline=None)
@given(
    offers=st.lists(st.integers(1, 12), max_size=15),
    failures=st.lists(st.sampled_from([None, OSError("away")]), max_size=6),
    capacity=st.integers(5, 40),
)
def test_accepted_rows_arrive_once_in_order_whatever_fails(offers, failures, capacity):
    store = Store(failures)
    case = Case(store, flush_rows=4, capacity=capacity)
    accepted = []
    for number, size in enumerate(offers):
        rows = [(number, n) for n in range(size)]
        if case.shipper.offer(rows):
            accepted += rows
    assert case.shipper.close(5) == 0
    assert [row for batch in store.batches for row in batch] == accepted
    assert case.rows("accepted") == case.rows("shipped") == len(accepted)
    assert case.rows("buffered") == case.rows("dropped") == 0


@pytest.mark.parametrize("threads", [4])
def test_rows_offered_by_several_threads_all_arrive(threads):
    store = Store()
    case = Case(store, flush_s=0.001, capacity=10_000)
    workers = [
        threading.Thread(target=lambda k=k: [case.shipper.offer([(k, n)]) for n in range(300)])
        for k in range(threads)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    case.shipper.close(5)
    assert sorted(row for batch in store.batches for row in batch) == [
        (k, n) for k in range(threads) for n in range(300)
    ]
