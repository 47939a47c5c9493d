"""The JSON border: what a job may say."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadRequest, Invalid
from shared.filters import Condition, Filter, Range
from shared.jobs import (
    FINAL,
    KINDS,
    LANES,
    MAX_ID,
    STATES,
    CollectionSpec,
    CollectionTask,
    Exclude,
    File,
    Ingest,
    Items,
    Job,
    Query,
    Search,
    WeightedText,
    kind_of,
)
from shared.problems import decode_json
from tests.shared.examples import some

ids = st.integers(0, MAX_ID)
id_lists = st.lists(ids, max_size=4)
names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True)
tokens = st.from_regex(r"[A-Za-z0-9._:-]{1,20}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(lambda text: bool(text.strip()))
keys = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20).filter(
    lambda key: not key.startswith("_")
)
bounds = st.floats(allow_nan=False, allow_infinity=False)
ranges = st.dictionaries(st.sampled_from(["gt", "gte", "lt", "lte"]), bounds, min_size=1).map(
    lambda some: Range(**some)
)
scalars = st.text(st.characters(codec="utf-8"), max_size=8) | st.integers(-(2**63), 2**63 - 1) | st.booleans()
matches = scalars | st.lists(scalars, min_size=1, max_size=3)
conditions = st.builds(Condition, key=keys, match=matches) | st.builds(Condition, key=keys, range=ranges)
parts = st.lists(conditions, max_size=2)
filters = st.builds(Filter, must=parts, should=parts, must_not=parts)
queries = st.one_of(
    st.builds(Query, text=texts, negative=id_lists),
    st.builds(Query, image=st.binary(min_size=1, max_size=30)),
    st.builds(Query, item=ids, positive=id_lists),
    st.builds(Query, positive=st.lists(ids, min_size=1, max_size=4), negative=id_lists),
)
maybe_excludes = st.none() | st.builds(Exclude, ids=id_lists, groups=st.lists(texts, max_size=3))
searches = st.builds(
    Search,
    collection=names,
    query=queries,
    limit=st.integers(1, 1_000),
    filter=st.none() | filters,
    seen=id_lists,
    exclude=maybe_excludes,
    group_by=st.none() | keys,
    group_size=st.integers(1, 100),
    payload=st.booleans(),
    session=tokens,
    slot=st.none() | tokens,
    lane=st.sampled_from(LANES),
    deadline_ms=st.none() | st.integers(1, 3_600_000),
)
payloads = st.none() | st.dictionaries(texts, scalars, max_size=3)
files = st.builds(File, source=texts, path=st.none() | texts, payload=payloads)
specs = st.builds(CollectionSpec, group_field=st.none() | keys, payload=st.dictionaries(keys, st.just("keyword")))
jobs = st.one_of(
    searches,
    st.builds(Ingest, collection=names, files=st.lists(files, min_size=1, max_size=3)),
    st.builds(CollectionTask, op=st.sampled_from(["create", "drop", "describe"]), collection=names, spec=specs),
    st.builds(Items, collection=names, ids=st.lists(ids, min_size=1, max_size=3)),
)


@some
@given(jobs)
def test_a_job_survives_the_json_border_and_the_wire(job: Job) -> None:
    assert decode_json(msgspec.json.encode(job), type(job)) == job
    assert msgspec.convert(msgspec.to_builtins(job, builtin_types=(bytes,)), type(job)) == job


@some
@given(jobs, st.text(min_size=1, max_size=10))
def test_an_unknown_field_is_refused_by_name(job: Job, name: str) -> None:
    body = msgspec.to_builtins(job)
    if name in type(job).__struct_fields__ or name == "kind":
        return
    with pytest.raises(Invalid) as refused:
        decode_json(msgspec.json.encode({**body, name: 1}), type(job))
    assert name in refused.value.detail


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@some
@given(
    st.fixed_dictionaries(
        {},
        optional={name: json_values for name in Search.__struct_fields__ if name not in {"query", "filter"}}
        | {
            "query": st.fixed_dictionaries({}, optional=dict.fromkeys(Query.__struct_fields__, json_values)),
            "filter": st.fixed_dictionaries({}, optional={"must": st.lists(json_values, max_size=2)}),
        },
    )
)
def test_whatever_a_body_says_it_is_a_search_or_an_error_of_ours(body: dict[str, Any]) -> None:
    try:
        search = decode_json(msgspec.json.encode(body), Search)
    except (BadRequest, Invalid):
        return
    assert decode_json(msgspec.json.encode(search), Search) == search


def search_with(**more: Any) -> dict[str, Any]:
    return {"collection": "pictures", "query": {"text": "cat"}, **more}


@pytest.mark.parametrize("wrong", [MAX_ID + 1, 2**53, 2**64, -1, 1.5, "7", True, None])
@pytest.mark.parametrize(
    "place",
    [
        lambda id_: search_with(seen=[1, id_]),
        lambda id_: search_with(exclude={"ids": [id_]}),
        lambda id_: search_with(query={"positive": [id_]}),
        lambda id_: search_with(query={"text": "a", "negative": [id_]}),
    ],
)
def test_an_id_is_an_integer_that_javascript_reads_exactly(place: Any, wrong: Any) -> None:
    with pytest.raises(Invalid):
        decode_json(msgspec.json.encode(place(wrong)), Search)
    assert decode_json(msgspec.json.encode(place(MAX_ID)), Search)


@pytest.mark.parametrize(
    "wrong",
    [
        {"query": {"text": ""}},
        {"query": {"texts": [{"text": " "}]}},
        {"query": {"texts": [{"text": "cat", "weight": 101}]}},
        {"query": {"texts": [{"text": "cat"}] * 17}},
        {"query": {"text": "cat", "feedback": "guess", "positive": [1]}},
        {"query": {"text": " \n\t"}},
        {"query": {"text": "x" * 1_001}},
        {"query": {"image": ""}},
        {"query": {"image": "not base64!"}},
        {"query": {"positive": list(range(1_001))}},
        {"slot": "main"},
        {"slot": "main", "session": "a b"},
        {"session": ""},
        {"session": "s\n"},
        {"limit": 0},
        {"limit": 1_001},
        {"limit": 1.5},
        {"limit": "24"},
        {"seen": [1] * 100_001},
        {"exclude": {"ids": [1] * 100_001}},
        {"exclude": {"groups": [1.5]}},
        {"exclude": {"ids": [], "id": []}},
        {"group_size": 0},
        {"group_by": ""},
        {"payload": "yes"},
        {"lane": "fast"},
        {"deadline_ms": 0},
        {"deadline_ms": 3_600_001},
        {"collection": "Pictures"},
        {"collection": ""},
        {"collection": "-a"},
        {"collection": "a/b"},
        {"collection": "a.b"},
        {"collection": "pictures\n"},
        {"collection": "a" * 64},
        {"filter": {"must": [{"key": "a"}]}},
        {"filter": {"must": [{"key": "a", "match": 1, "range": {"gt": 1}}]}},
        {"filter": {"must": [{"key": "a", "range": {}}]}},
        {"filter": {"must": [{"key": "a", "match": []}]}},
        {"filter": {"must": [{"key": "a", "match": 1.5}]}},
        {"filter": {"must": [{"key": "a", "match": list(range(1_001))}]}},
        {"filter": {"must": [{"key": "_clipline.hash", "match": "a"}]}},
        {"filter": {"must": [{"key": "", "match": "a"}]}},
        {"filter": {"must": [{"key": "a\n", "match": "a"}]}},
        {"filter": {"must": [{"key": "a", "match": "a"}] * 129}},
        {"filter": {"must": {"key": "a", "match": "a"}}},
        {"filter": {"any": []}},
    ],
)
def test_what_is_out_of_bounds_is_invalid(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        decode_json(msgspec.json.encode(search_with(**wrong)), Search)


@pytest.mark.parametrize("query", [{}, {"text": None}, {"negative": [1]}, {"texts": [{"text": "a", "weight": -1}]}])
def test_a_query_says_what_to_look_for_or_the_session_s_marks_do(query: dict[str, Any]) -> None:
    search: Search = decode_json(msgspec.json.encode(search_with(query=query)), Search)
    with pytest.raises(Invalid, match="needs text of positive weight"):
        search.require_parts(marked=False)
    search.require_parts(marked=True)


@pytest.mark.parametrize("more", [{"query": {"text": "a"}}, {"group_by": "video"}, {"filter": {"must": []}}])
def test_a_next_page_takes_no_query_and_the_main_slot(more: dict[str, Any]) -> None:
    bare = {"collection": "pictures", "session": "s", "next": True}
    assert decode_json(msgspec.json.encode(bare), Search).slot == "main"
    with pytest.raises(Invalid):
        decode_json(msgspec.json.encode({**bare, **more}), Search)


@pytest.mark.parametrize("wrong", ["a" * 63, "g" * 64, "A" * 64, "a" * 64 + "\n"])
def test_a_hash_is_sixty_four_hex_digits(wrong: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"source": "a", "hash": wrong}, File)


@pytest.mark.parametrize("count", [0, 1_001])
def test_an_ingest_has_one_to_a_thousand_files(count: int) -> None:
    body = {"collection": "p", "files": [{"source": "a"}] * count}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, Ingest)


def test_a_filter_without_conditions_is_none() -> None:
    assert not Filter()
    assert Filter(must_not=[Condition(key="a", match=1)])


@some
@given(queries)
def test_a_query_knows_the_items_that_it_names(query: Query) -> None:
    named = {*query.positive, *query.negative} | ({query.item} if query.item is not None else set())
    assert query.named_ids == named


@some
@given(jobs)
def test_every_job_knows_its_kind(job: Job) -> None:
    assert kind_of(job) in KINDS
    assert msgspec.to_builtins(job)["kind"] == kind_of(job)


def test_states_are_open_or_final() -> None:
    assert set(STATES) - FINAL == {"queued", "running"}


@pytest.mark.parametrize("feedback", ["recommend", "classifier"])
def test_some_feedback_needs_a_good_example(feedback: Any) -> None:
    search = Search(collection="pictures", query=Query(text="cat", negative=[1], feedback=feedback))
    with pytest.raises(Invalid) as raised:
        search.require_parts(marked=False)
    assert raised.value.field == "query.feedback"
    search.require_parts(marked=True)
    Search(collection="pictures", query=Query(text="cat", positive=[1], feedback=feedback)).require_parts(marked=False)


def test_texts_that_only_lead_away_are_no_query() -> None:
    texts = [WeightedText(text="cat", weight=-1), WeightedText(text="dog", weight=0)]
    with pytest.raises(Invalid):
        Search(collection="pictures", query=Query(texts=texts)).require_parts(marked=False)
    query = Query(text="fox", texts=texts)
    Search(collection="pictures", query=query).require_parts(marked=False)
    assert query.words == "fox, -cat, dog"
