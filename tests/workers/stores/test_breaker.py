"""The circuit breaker: opens after failures in a row, lets one probe through, closes on an answer."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import CollectionNotFound, StoreAway
from workers.stores.breaker import Breaker


class Clock:
    """A time that tests move."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Store:
    """Counts the calls that get through, and fails while it is down."""

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker
        self.calls = 0
        self.down = True

    def call(self) -> None:
        with self.breaker.watch():
            self.calls += 1
            if self.down:
                raise StoreAway("down")

    def fail(self, times: int) -> None:
        for _ in range(times):
            with pytest.raises(StoreAway):
                self.call()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Store:
    return Store(Breaker(failures=3, open_s=1.0, max_open_s=4.0, clock=clock))


def test_after_failures_in_a_row_calls_fail_without_reaching_the_store(store: Store) -> None:
    store.fail(10)
    assert store.calls == 3


def test_an_answer_in_between_starts_the_count_again(store: Store) -> None:
    store.fail(2)
    store.down = False
    store.call()
    store.down = True
    store.fail(3)
    assert store.calls == 6


def test_errors_that_are_answers_do_not_open_it(store: Store) -> None:
    for _ in range(10):
        with pytest.raises(CollectionNotFound), store.breaker.watch():
            raise CollectionNotFound("none")
    store.down = False
    store.call()


def test_after_the_pause_one_call_probes_and_an_answer_closes_it(store: Store, clock: Clock) -> None:
    store.fail(3)
    clock.now_s = 1.0
    store.down = False
    with store.breaker.watch(), pytest.raises(StoreAway):
        store.call()
    store.call()
    assert store.calls == 1 + 3


def test_each_failed_probe_doubles_the_pause_up_to_its_bound(store: Store, clock: Clock) -> None:
    store.fail(3)
    for pause_s in (1.0, 2.0, 4.0, 4.0):
        clock.now_s += pause_s - 0.01
        calls = store.calls
        store.fail(1)
        assert store.calls == calls
        clock.now_s += 0.02
        store.fail(1)
        assert store.calls == calls + 1


def test_a_cancelled_probe_leaves_room_for_the_next(store: Store, clock: Clock) -> None:
    store.fail(3)
    clock.now_s = 1.0
    with pytest.raises(KeyboardInterrupt), store.breaker.watch():
        raise KeyboardInterrupt
    store.down = False
    store.call()


@given(steps=st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=60))
def test_once_the_store_is_up_for_the_longest_pause_a_call_gets_through(steps: list[tuple[bool, float]]) -> None:
    clock = Clock()
    store = Store(Breaker(failures=3, open_s=1.0, max_open_s=4.0, clock=clock))
    for down, wait_s in steps:
        store.down = down
        clock.now_s += wait_s
        with suppress(StoreAway):
            store.call()
    store.down = False
    clock.now_s += 4.0
    store.call()
