"""Plans: what they ask of the engine, what they cost, and which of them are trusted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.stores.plan import COARSE, EXACT, FINE, MAX_EF, NARROWED, OPEN, SPARE_PART, Fetch, Rung, Situation, ladder
from workers.stores.plan_costs import Costs
from workers.stores.plan_trials import AGAIN_EVERY, COMPARED, REMEMBERED, TRIALS, Trials
from workers.stores.protocol import Scored

OPEN_FIELD = Situation(points=1_000_000, dim=512, passing=1_000_000, excluded=0)
SEEN = OPEN_FIELD._replace(excluded=20_000)
GRAPH = Fetch(OPEN[0].plan(50), 50, exclude=True)
SURE = Fetch(EXACT, 50, exclude=True)
SCAN = Fetch(FINE[0].plan(50), 50, exclude=True)

rungs = st.sampled_from([*OPEN, *NARROWED])


def scored(count: int) -> list[Scored]:
    return [Scored(id=number, score=1.0 - number / 1_000) for number in range(count)]


@given(rung=rungs, limit=st.integers(1, 200_000))
def test_a_graph_plan_has_room_for_its_hits_and_a_bound(rung: Rung, limit: int) -> None:
    ef = rung.plan(limit).ef
    assert ef is not None
    assert limit <= ef <= max(limit + limit // SPARE_PART, MAX_EF)


def test_only_what_does_not_pass_needs_walking_through() -> None:
    assert ladder(OPEN_FIELD, exclude=True) == OPEN
    assert ladder(SEEN, exclude=False) == OPEN
    assert ladder(SEEN, exclude=True) == NARROWED
    assert ladder(OPEN_FIELD._replace(passing=40_000), exclude=True) == NARROWED


@pytest.mark.parametrize(
    ("fetch", "name"),
    [
        (GRAPH, "graph"),
        (GRAPH._replace(exclude=False), "graph+drop"),
        (Fetch(NARROWED[-1].plan(50), 50, exclude=False), "graph+acorn"),
        (SCAN, "scan"),
        (SCAN._replace(plan=SCAN.plan._replace(fetched=20_306)), "scan+drop"),
        (SURE, "exact"),
    ],
)
def test_plans_have_names(fetch: Fetch, name: str) -> None:
    assert fetch.name == name


@given(rung=rungs, limit=st.integers(1, 200_000))
def test_every_candidate_of_a_quantised_graph_is_rescored(rung: Rung, limit: int) -> None:
    plan = rung.plan(limit)
    assert plan.ef is not None
    assert round((plan.oversampling(limit) or 0) * limit) == plan.ef
    assert EXACT.oversampling(limit) is None


def test_costs_grow_with_what_is_done() -> None:
    costs = Costs()
    assert costs.of(SURE, SEEN) > costs.of(SURE, OPEN_FIELD)
    assert costs.of(SURE, OPEN_FIELD) > costs.of(SURE, OPEN_FIELD._replace(passing=1_000))
    assert costs.of(GRAPH, OPEN_FIELD) < costs.of(SURE, OPEN_FIELD)
    assert costs.of(Fetch(OPEN[3].plan(50), 50, exclude=True), OPEN_FIELD) > costs.of(GRAPH, OPEN_FIELD)


def test_a_scan_of_copies_costs_less_than_one_of_vectors_and_many_excluded_are_cheaper_dropped() -> None:
    costs, dropping = Costs(), SCAN._replace(plan=SCAN.plan._replace(fetched=20_306))
    assert costs.of(SCAN, SEEN) < costs.of(SURE, SEEN)
    assert costs.of(dropping, SEEN) < costs.of(SCAN, SEEN)
    assert costs.of(dropping._replace(plan=dropping.plan._replace(coarse=True)), SEEN) < costs.of(dropping, SEEN)
    few = SCAN._replace(plan=SCAN.plan._replace(fetched=20_000 + 306_000))
    assert costs.of(few, SEEN._replace(passing=1_000)) > costs.of(SCAN, SEEN._replace(passing=1_000))


def test_scans_are_trusted_apart_from_graphs_and_by_what_they_read() -> None:
    trials = Trials()
    for scan in COARSE:
        assert trials.scan(OPEN_FIELD, 50, coarse=True) == scan
        trials.tell(OPEN_FIELD, Fetch(scan.plan(50), 50, exclude=True), scored(40), scored(50))
    assert trials.scan(OPEN_FIELD, 50, coarse=True) is None
    assert trials.scan(OPEN_FIELD, 50, coarse=False) == FINE[0]
    assert trials.rung(OPEN_FIELD, 50, exclude=True) == OPEN[0]


@given(took_s=st.floats(0.002, 4.0))
def test_costs_come_to_what_is_measured(took_s: float) -> None:
    costs = Costs()
    for _ in range(50):
        costs.learn([(SURE, OPEN_FIELD)], took_s)
        costs.learn([(GRAPH, OPEN_FIELD)] * 4, 4 * 0.002)
    assert costs.of(GRAPH, OPEN_FIELD) == pytest.approx(0.002, rel=1e-3)
    assert costs.of(SURE, OPEN_FIELD) == pytest.approx(took_s, rel=1e-3)


def test_one_slow_scan_does_not_end_scans_for_good() -> None:
    costs = Costs()
    expected_s = costs.of(SURE, OPEN_FIELD)
    costs.learn([(SURE, OPEN_FIELD)], 50 * expected_s)
    assert costs.of(SURE, OPEN_FIELD) <= 2 * expected_s
    for _ in range(50):
        costs.learn([(SURE, OPEN_FIELD)], 50 * expected_s)
    assert costs.of(SURE, OPEN_FIELD) > 40 * expected_s
    for _ in range(600):
        costs.learn([(GRAPH, OPEN_FIELD)], 0.002)
    assert costs.of(SURE, OPEN_FIELD) < 1.1 * expected_s


def test_what_was_quick_is_believed_to_be_quick_however_long_ago_that_was() -> None:
    costs = Costs()
    quick_s = costs.of(SURE, OPEN_FIELD) / 2
    costs.learn([(SURE, OPEN_FIELD)], quick_s)
    for _ in range(600):
        costs.learn([(GRAPH, OPEN_FIELD)], 0.002)
    assert costs.of(SURE, OPEN_FIELD) == pytest.approx(quick_s)


@given(first=st.floats(1.0, 50.0))
def test_a_slow_first_measurement_is_soon_made_up_for(first: float) -> None:
    costs = Costs()
    true_s = costs.of(SURE, OPEN_FIELD)
    for took_s in (first * true_s, true_s, true_s):
        costs.learn([(SURE, OPEN_FIELD)], took_s)
    assert costs.of(SURE, OPEN_FIELD) <= 1.05 * true_s


def test_on_a_quick_machine_a_plan_that_was_not_met_is_no_slower_beside_others_than_on_another() -> None:
    costs = Costs()
    share = costs.of(GRAPH, OPEN_FIELD) / costs.of(SURE, OPEN_FIELD)
    for _ in range(10):
        costs.learn([(SURE, OPEN_FIELD)], costs.of(SURE, OPEN_FIELD) / 2)
    assert costs.of(GRAPH, OPEN_FIELD) / costs.of(SURE, OPEN_FIELD) == pytest.approx(share)


def test_a_plan_that_was_slow_behind_one_filter_is_tried_behind_another() -> None:
    costs = Costs()
    half, few = (OPEN_FIELD._replace(passing=OPEN_FIELD.points // share) for share in (2, 1_000))
    for where, times in ((OPEN_FIELD, 0.5), (few, 1.5)):
        costs.learn([(SCAN, where)], times * Costs().of(SCAN, where))
    assert costs.of(SCAN, half) == pytest.approx(Costs().of(SCAN, half) / 2)


def test_what_a_plan_costs_behind_one_filter_says_nothing_about_another_that_was_met() -> None:
    costs = Costs()
    half, few = (OPEN_FIELD._replace(passing=OPEN_FIELD.points // share) for share in (2, 1_000))
    for where, took_s in ((half, 0.001), (few, 0.009)):
        costs.learn([(GRAPH, where)], took_s)
    for _ in range(20):
        costs.learn([(GRAPH, few)], 0.009)
    assert costs.of(GRAPH, half) == pytest.approx(0.001, rel=0.01)
    assert costs.of(GRAPH, few) == pytest.approx(0.009, rel=0.05)


def test_a_plan_that_finds_everything_is_trusted_after_some_trials_and_audited_later() -> None:
    trials, asked = Trials(), 0
    while not trials.trusted(OPEN_FIELD, GRAPH):
        assert trials.tell(OPEN_FIELD, GRAPH, scored(50), scored(50))
        asked += 1
    assert asked == max(TRIALS, COMPARED // 50)
    assert trials.rung(OPEN_FIELD, 50, exclude=True) == OPEN[0]
    assert sum(trials.used(OPEN_FIELD, GRAPH) for _ in range(2 * AGAIN_EVERY)) == 2


@pytest.mark.parametrize(("limit", "steps"), [(50, OPEN[1:]), (1_000, OPEN)])
def test_one_that_loses_hits_gives_way_to_the_next_until_none_is_left(limit: int, steps: tuple[Rung, ...]) -> None:
    """Of few hits there are as many candidates with and without spare ones, and no plan is tried twice."""
    trials, graph = Trials(), Fetch(OPEN[0].plan(limit), limit, exclude=True)
    for rung in steps:
        plan = graph._replace(plan=rung.plan(limit))
        assert trials.next(OPEN_FIELD, graph) == plan
        assert not trials.tell(OPEN_FIELD, plan, scored(40), scored(50))
    assert trials.rung(OPEN_FIELD, limit, exclude=True) is None
    assert trials.next(OPEN_FIELD, graph) is None


def test_what_is_fetched_to_be_dropped_is_trusted_by_how_many_are_wanted_of_it() -> None:
    trials, dropped = Trials(), Fetch(OPEN[0].plan(1_050), 1_050, exclude=False, wanted=50)
    for _ in range(TRIALS):
        trials.tell(SEEN, dropped._replace(wanted=1_050), scored(1_050), scored(1_050))
    assert not trials.trusted(SEEN, dropped)
    assert trials.rung(SEEN, 1_050, exclude=False, wanted=50) == OPEN[0]


def test_a_tie_counts_as_found() -> None:
    trials = Trials()
    twins = [Scored(id=number, score=0.5) for number in range(50)]
    others = [Scored(id=100 + number, score=0.5) for number in range(50)]
    for _ in range(TRIALS):
        trials.tell(OPEN_FIELD, GRAPH, twins, others)
    assert trials.trusted(OPEN_FIELD, GRAPH)


def test_a_trusted_plan_that_gets_worse_is_left() -> None:
    trials = Trials()
    for _ in range(TRIALS):
        trials.tell(OPEN_FIELD, GRAPH, scored(50), scored(50))
    for _ in range(10):
        trials.tell(OPEN_FIELD, GRAPH, scored(45), scored(50))
    assert trials.rung(OPEN_FIELD, 50, exclude=True) != OPEN[0]


def test_situations_are_learned_apart_and_bounded() -> None:
    trials = Trials()
    for _ in range(TRIALS):
        trials.tell(OPEN_FIELD, GRAPH, scored(50), scored(50))
    assert not trials.trusted(SEEN, GRAPH)
    for points in range(2 * REMEMBERED):
        where = SEEN._replace(excluded=2**points)
        trials.rung(where, 50, exclude=True)
    assert len(trials._records) == REMEMBERED
