"""How searches began: followed by those alike, for some searches, until something was learned that may change it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.stores.plan import EXACT, FINE, OPEN, Fetch, Situation
from workers.stores.plan_beginnings import LASTS, REMEMBERED, Beginning, Beginnings
from workers.stores.plan_guesses import ALIKE, FEW, SPREAD
from workers.stores.plan_scans import dropping

LIMIT = 50
SEEN = Situation(points=1_000_000, dim=512, passing=1_000_000, excluded=20_000, copies=True)
SURE = Beginning(Fetch(EXACT, LIMIT, exclude=True), guess=None, guesses_made=1, untried=())
SCAN = Fetch(FINE[0].plan(LIMIT), LIMIT, exclude=True)
GUESS = Fetch(OPEN[0].plan(114), 114, exclude=False)


def kept(beginning: Beginning, where: Situation = SEEN, *, settled: bool = True) -> Beginnings:
    """As after a call that began so."""
    beginnings = Beginnings()
    beginnings.keep(where, LIMIT, beginning, told=0)
    if settled:
        beginnings.settle(where, LIMIT)
    return beginnings


def found(beginnings: Beginnings, *, calls: int) -> list[bool]:
    """In which of so many further calls a search like it begins so."""
    answers = []
    for _ in range(calls):
        beginnings.call += 1
        answers.append(beginnings.find(SEEN, LIMIT, told=0) is not None)
    return answers


def test_some_calls_begin_as_one_did_and_then_it_is_thought_of_anew() -> None:
    assert found(kept(SURE), calls=2 * LASTS) == [True] * LASTS + [False] * LASTS


def test_all_searches_of_one_call_begin_alike() -> None:
    beginnings = kept(SURE, settled=False)
    assert all(beginnings.find(SEEN, LIMIT, told=0) == SURE for _ in range(32))


def test_where_something_is_to_be_tried_no_further_call_begins_so() -> None:
    assert found(kept(SURE._replace(untried=(SCAN,)), settled=False), calls=1) == [False]


def test_what_was_not_worth_a_trial_is_not_offered_again() -> None:
    beginnings = kept(SURE._replace(untried=(SCAN,)))
    assert beginnings.find(SEEN, LIMIT, told=0) == SURE


def test_it_holds_until_a_trial_has_told_something() -> None:
    assert kept(SURE).find(SEEN, LIMIT, told=1) is None


def test_it_holds_until_it_is_forgotten() -> None:
    beginnings = kept(SURE)
    beginnings.forget(SEEN, LIMIT)
    assert beginnings.find(SEEN, LIMIT, told=0) is None


@pytest.mark.parametrize(
    ("where", "limit"),
    [
        (SEEN, LIMIT + 1),
        (SEEN._replace(excluded=10_000), LIMIT),
        (SEEN._replace(passing=999_999), LIMIT),
        (SEEN._replace(points=2_000_000, passing=2_000_000), LIMIT),
        (SEEN._replace(copies=False), LIMIT),
    ],
)
def test_other_situations_begin_otherwise(where: Situation, limit: int) -> None:
    assert kept(SURE).find(where, limit, told=0) is None


@given(excluded=st.integers(0, 100_000), passing=st.integers(1, 999_999), more=st.integers(-50, 50))
def test_who_pages_on_fetches_as_many_as_they_need(excluded: int, passing: int, more: int) -> None:
    where = SEEN._replace(excluded=excluded, passing=passing)
    later = where._replace(excluded=max(0, excluded + more))
    beginnings = kept(SURE._replace(fetch=dropping(SCAN, where)), where)
    began = beginnings.find(later, LIMIT, told=0)
    assert began is None or began.fetch == dropping(SCAN, later)


@pytest.mark.parametrize(("guess", "fits"), [(SPREAD, True), (FEW, True), (ALIKE, False), (None, False)])
def test_what_is_fetched_for_so_many_excluded_is_for_these_alone(guess: int | None, fits: bool) -> None:
    beginnings = kept(SURE._replace(fetch=GUESS, guess=guess))
    assert beginnings.find(SEEN, LIMIT, told=0) is not None
    assert (beginnings.find(SEEN._replace(excluded=20_001), LIMIT, told=0) is not None) == fits


def test_they_are_bounded() -> None:
    beginnings = Beginnings()
    for limit in range(2 * REMEMBERED):
        beginnings.keep(SEEN, limit, SURE, told=0)
    remembered = [beginnings.find(SEEN, limit, told=0) is not None for limit in range(2 * REMEMBERED)]
    assert remembered == [False] * REMEMBERED + [True] * REMEMBERED
