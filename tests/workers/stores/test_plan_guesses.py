"""Guesses: made while they pay, and again from time to time when they did not."""

from hypothesis import given
from hypothesis import strategies as st

from workers.stores.plan import Situation
from workers.stores.plan_guesses import AGAIN_EVERY, Guesses

SEEN = Situation(points=1_000_000, dim=512, passing=1_000_000, excluded=1_000)


def made(guesses: Guesses, where: Situation, *, enough: bool, uses: int, guess_s: float = 0.001) -> list[bool]:
    """Which of so many searches begin with a guess, each guess ending alike."""
    worth = []
    for _ in range(uses):
        worth.append(guesses.worth(where, 0, guess_s=guess_s, sure_s=0.01))
        if worth[-1]:
            guesses.tell(where, 0, enough=enough)
    return worth


def test_a_cheap_guess_is_made_until_it_has_failed_some_times() -> None:
    worth = made(Guesses(), SEEN, enough=False, uses=200)
    assert all(worth[:3])
    often, seldom = AGAIN_EVERY
    assert 200 // seldom <= sum(worth[20:]) <= 200 // often


@given(failures=st.integers(0, 500), guess_s=st.floats(1e-5, 0.0025))
def test_someone_who_starts_anew_is_noticed_soon(failures: int, guess_s: float) -> None:
    guesses = Guesses()
    made(guesses, SEEN, enough=False, uses=failures, guess_s=guess_s)
    assert all(made(guesses, SEEN, enough=True, uses=60, guess_s=guess_s)[-20:])


def test_a_guess_that_found_enough_is_made_again_at_once() -> None:
    guesses = Guesses()
    made(guesses, SEEN, enough=False, uses=100)
    while not guesses.worth(SEEN, 0, guess_s=0.001, sure_s=0.01):
        pass
    guesses.tell(SEEN, 0, enough=True)
    assert guesses.worth(SEEN, 0, guess_s=0.001, sure_s=0.01)


def test_what_one_filter_leaves_says_nothing_about_another() -> None:
    guesses = Guesses()
    made(guesses, SEEN, enough=False, uses=100)
    narrow = SEEN._replace(passing=1_000)
    assert all(made(guesses, narrow, enough=True, uses=20))
    assert not all(made(guesses, SEEN, enough=False, uses=20))


@given(uses=st.integers(1, 100), guess_s=st.floats(0.01, 1.0))
def test_a_guess_that_costs_more_than_the_sure_way_is_never_made(uses: int, guess_s: float) -> None:
    assert not any(made(Guesses(), SEEN, enough=True, uses=uses, guess_s=guess_s))
