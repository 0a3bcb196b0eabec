"""Filters of subscriptions: each dialect, every fault named, and the laws that `all`, `any` and `not` must keep."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import CloudEvent
from events.filters import MAX_FILTERS, MAX_NESTING, FilterError, compile_filters

EVENT = CloudEvent(
    id="1",
    source="https://github.com/cloudevents/spec",
    type="com.github.push",
    subject="refs/heads/main",
    extensions={"count": 5, "urgent": True, "empty": ""},
)


@pytest.mark.parametrize(
    ("expressions", "passes"),
    [
        ([], True),
        ([{"exact": {"type": "com.github.push"}}], True),
        ({"exact": {"type": "com.github.push"}}, True),
        ([{"exact": {"type": "com.github"}}], False),
        ([{"exact": {"type": "COM.GITHUB.PUSH"}}], False),
        ([{"exact": {"type": "com.github.push", "subject": "refs/heads/main"}}], True),
        ([{"exact": {"type": "com.github.push", "subject": "other"}}], False),
        ([{"exact": {"count": "5", "urgent": "true", "specversion": "1.0"}}], True),
        ([{"exact": {"nothere": "x"}}], False),
        ([{"prefix": {"type": "com.github."}}], True),
        ([{"prefix": {"type": "github"}}], False),
        ([{"prefix": {"type": "com.", "source": "http://"}}], False),
        ([{"prefix": {"nothere": "x"}}], False),
        ([{"prefix": {"empty": "x"}}], False),
        ([{"suffix": {"type": ".push", "subject": "main"}}], True),
        ([{"suffix": {"type": ".pull"}}], False),
        ([{"all": [{"prefix": {"type": "com."}}, {"suffix": {"type": ".push"}}]}], True),
        ([{"all": [{"prefix": {"type": "com."}}, {"suffix": {"type": ".pull"}}]}], False),
        ([{"any": [{"prefix": {"type": "org."}}, {"suffix": {"type": ".push"}}]}], True),
        ([{"any": [{"prefix": {"type": "org."}}]}], False),
        ([{"not": {"exact": {"type": "x"}}}], True),
        ([{"not": {"exact": {"nothere": "x"}}}], True),
        ([{"not": {"not": {"exact": {"type": "com.github.push"}}}}], True),
        ([{"cesql": "count > 4 AND urgent"}], True),
        ([{"sql": "type LIKE '%push'"}], True),
        ([{"cesql": "count"}], False),
        ([{"cesql": "nothere = 'x'"}], False),
        ([{"not": {"cesql": "nothere = 'x'"}}], True),
        ([{"exact": {"type": "com.github.push"}}, {"cesql": "false"}], False),
    ],
)
def test_dialects(expressions: Any, passes: bool) -> None:
    compiled = compile_filters(expressions)
    assert compiled(EVENT) is passes
    assert compiled.passes(EVENT.attributes()) is passes


@pytest.mark.parametrize(
    ("expressions", "pointers"),
    [
        ("type = 'x'", [""]),
        (None, [""]),
        (5, [""]),
        ([5], ["/0"]),
        ([{}], ["/0"]),
        ([{"exact": {"type": "x"}, "prefix": {"type": "x"}}], ["/0"]),
        ([{"Exact": {"type": "x"}}], ["/0/Exact"]),
        ([{"exact": {}}], ["/0/exact"]),
        ([{"exact": "type"}], ["/0/exact"]),
        ([{"exact": {"type": ""}}], ["/0/exact/type"]),
        ([{"exact": {"type": 5}}], ["/0/exact/type"]),
        ([{"exact": {"": "x"}}], ["/0/exact/"]),
        (
            [{"prefix": {"Type": "x", "a/b": "x", "data": "x", "subject": None}}],
            ["/0/prefix/Type", "/0/prefix/a~1b", "/0/prefix/data", "/0/prefix/subject"],
        ),
        ([{"all": []}], ["/0/all"]),
        ([{"any": {"exact": {"type": "x"}}}], ["/0/any"]),
        ([{"not": [{"exact": {"type": "x"}}]}], ["/0/not"]),
        ([{"cesql": ""}, {"cesql": 5}, {"cesql": "a ="}], ["/0/cesql", "/1/cesql", "/2/cesql"]),
        (
            [{"all": [{"exact": {"type": ""}}, {"any": [{"x": 1}, {"not": {"suffix": {}}}]}]}],
            ["/0/all/0/exact/type", "/0/all/1/any/0/x", "/0/all/1/any/1/not/suffix"],
        ),
    ],
)
def test_every_fault_is_named(expressions: Any, pointers: list[str]) -> None:
    with pytest.raises(FilterError) as refused:
        compile_filters(expressions)
    assert [fault.attribute for fault in refused.value.faults] == pointers
    assert all(fault.detail for fault in refused.value.faults)


def _nested(depth: int) -> dict[str, Any]:
    expression: dict[str, Any] = {"exact": {"type": "com.github.push"}}
    for _ in range(depth):
        expression = {"all": [expression]}
    return expression


def test_nesting_and_number_are_bounded() -> None:
    assert compile_filters(_nested(MAX_NESTING - 1))(EVENT)
    with pytest.raises(FilterError, match="nested"):
        compile_filters(_nested(MAX_NESTING))
    one = {"exact": {"type": "com.github.push"}}
    assert compile_filters([one] * MAX_FILTERS)(EVENT)
    with pytest.raises(FilterError, match="too many") as refused:
        compile_filters([one] * (MAX_FILTERS + 50))
    assert len(refused.value.faults) == 1


_ATTRIBUTE = st.sampled_from(["type", "subject", "source", "count", "nothere"])
_VALUE = st.sampled_from(["com.", "com.github.push", "push", "5", "refs", "x"])
_SIMPLE = st.builds(
    lambda dialect, name, value: {dialect: {name: value}},
    st.sampled_from(["exact", "prefix", "suffix"]),
    _ATTRIBUTE,
    _VALUE,
) | st.sampled_from([{"cesql": "count = 5"}, {"cesql": "nothere"}])
_EXPRESSIONS = st.recursive(
    _SIMPLE,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda many: {"all": many})
        | st.lists(inner, min_size=1, max_size=3).map(lambda many: {"any": many})
        | inner.map(lambda one: {"not": one})
    ),
    max_leaves=8,
)


def _passes(expression: dict[str, Any]) -> bool:
    return compile_filters([expression])(EVENT)


@settings(max_examples=200)
@given(st.lists(_EXPRESSIONS, min_size=1, max_size=4))
def test_laws(expressions: list[dict[str, Any]]) -> None:
    each = [_passes(expression) for expression in expressions]
    assert compile_filters(expressions)(EVENT) == _passes({"all": expressions}) == all(each)
    assert _passes({"any": expressions}) == any(each)
    assert _passes({"not": expressions[0]}) is not each[0]


@settings(max_examples=200)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["exact", "all", "not", "cesql", "type"]), inner, max_size=2)
        ),
        max_leaves=8,
    )
)
def test_anything_compiles_or_is_refused(expressions: Any) -> None:
    try:
        compile_filters(expressions)(EVENT)
    except FilterError as refused:
        assert refused.faults  # noqa: PT017 - refused is one of two right outcomes
