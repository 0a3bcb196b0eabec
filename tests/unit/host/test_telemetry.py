"""Logs, traces, metrics."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from shared import telemetry
from shared.telemetry import metrics, traces

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.fixture
def lines() -> Iterator[Any]:
    """Collect what is logged."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    telemetry.configure_logs(level="debug", stream=stream, function="f")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def test_a_line_is_one_json_object_with_its_context(lines: Any) -> None:
    telemetry.begin(f"00-{TRACE}-{SPAN}-01")
    telemetry.set_organisation("org")
    telemetry.logger("a.b").info("line\nbreak", count=3, level="not mine", when={"x": object})
    (line,) = lines()
    assert (line["level"], line["logger"], line["message"]) == ("info", "a.b", "line\nbreak")
    assert (line["trace_id"], line["organisation"], line["function"], line["count"]) == (TRACE, "org", "f", 3)
    assert line["time"].endswith("Z")
    telemetry.set_organisation(None)


def test_libraries_log_in_the_same_way_and_exceptions_are_kept(lines: Any) -> None:
    logging.getLogger("library").warning("at %s", "postgresql://user:hunter2@host/db")
    try:
        int("hal9_abcdefghijkl_" + "s" * 43)
    except ValueError:
        telemetry.logger("x").exception("failed")
    library, failed = lines()
    assert library["message"] == "at postgresql://[hidden]@host/db"
    assert "hal9_abcdefghijkl_[hidden]" in failed["exception"]


@pytest.mark.parametrize(
    "secret",
    [
        "hal9_abcdefghijkl_" + "s" * 43,
        "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJnYXRld2F5In0.c2lnbmF0dXJl",
        "Bearer abcdefghijklmnopqrstuvwxyz",
        "redis://:hunter2hunter2@host:6379/0",
    ],
)
def test_secrets_are_hidden_wherever_they_are(lines: Any, secret: str) -> None:
    telemetry.logger("x").warning(f"got {secret} here", text=secret, nested=[secret], token="t", password="p")
    text = json.dumps(lines())
    for part in ("s" * 20, "c2lnbmF0dXJl", "abcdefghijklmnopqrstuvwxyz", "hunter2"):
        assert part not in text
    assert '"token": "[hidden]"' in text


def test_long_lines_are_cut(lines: Any) -> None:
    telemetry.logger("x").warning("y" * 100_000, text="x" * 1_000_000, many=["z"] * 100_000)
    (line,) = lines()
    assert len(json.dumps(line)) < 40_000
    assert line["text"].endswith("(1000000 characters)")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "x",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_a_malformed_traceparent_is_none(header: str) -> None:
    assert traces.parse(header) is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    parent = traces.parse(f"01-{TRACE}-{SPAN}-03-what-ever", "a=b")
    assert parent is not None
    assert (parent.trace_id, parent.span_id, parent.flags, parent.state) == (TRACE, SPAN, 3, "a=b")
    assert parent.header() == f"00-{TRACE}-{SPAN}-01"


async def test_tasks_that_share_a_trace_that_nobody_asked_for_yet_get_the_same() -> None:
    telemetry.begin()

    async def ask() -> str | None:
        return telemetry.traceparent()

    first, second = await asyncio.gather(ask(), ask())
    assert first == second == telemetry.traceparent()
    telemetry.begin()
    assert telemetry.traceparent() != first


async def test_a_span_is_nothing_without_a_collector() -> None:
    assert not telemetry.configure_spans("x")
    telemetry.begin()
    before = telemetry.traceparent()
    with telemetry.span("x"):
        assert telemetry.traceparent() == before


LABELS = st.text(max_size=20)


@given(st.lists(st.tuples(LABELS, st.integers(0, 10**9)), max_size=10))
def test_counters_are_what_prometheus_reads(added: list[tuple[str, int]]) -> None:
    counter = metrics.Counter("hal9_test_total", 'What "it" is\\is\nfor.', ("label",))
    for label, number in added:
        counter.add(label, by=number)
    sums: dict[str, float] = {}
    for label, number in added:
        sums[label] = sums.get(label, 0) + number
    text = "# TYPE hal9_test_total counter\n" + "\n".join(counter.samples()) + "\n"
    (family,) = text_string_to_metric_families(text)
    assert {sample.labels["label"]: sample.value for sample in family.samples} == sums


@given(st.lists(st.floats(0, 1000), max_size=50))
def test_histograms_are_cumulative(observed: list[float]) -> None:
    histogram = metrics.Histogram("hal9_test_seconds", "x")
    for quantity in observed:
        histogram.observe(quantity)
    text = "# TYPE hal9_test_seconds histogram\n" + "\n".join(histogram.samples()) + "\n"
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    for sample in samples:
        if sample.name.endswith("_bucket"):
            assert sample.value == sum(quantity <= float(sample.labels["le"]) for quantity in observed)
    counts = [sample.value for sample in samples if sample.name.endswith("_count")]
    assert counts == ([len(observed)] if observed else [])


def test_series_are_bounded() -> None:
    counter = metrics.Counter("hal9_many_total", "x", ("label",))
    for number in range(metrics.SERIES + 500):
        counter.add(str(number))
    assert len(list(counter.samples())) <= metrics.SERIES + 1
    assert counter.value("other") == 500


def test_a_name_has_one_meaning() -> None:
    first = telemetry.counter("hal9_named_total", "x", ("a",))
    assert telemetry.counter("hal9_named_total", "x", ("a",)) is first
    with pytest.raises(ValueError, match="another meaning"):
        telemetry.counter("hal9_named_total", "x", ("b",))
    with pytest.raises(ValueError, match="labels"):
        first.add()
    with pytest.raises(ValueError, match="name"):
        telemetry.counter("hal9-named", "x")


def test_the_whole_exposition_is_what_prometheus_reads() -> None:
    telemetry.gauge("hal9_read", "x", read=lambda: 4)
    families = {family.name: family for family in text_string_to_metric_families(telemetry.exposition())}
    assert families["hal9_read"].samples[0].value == 4
    assert families["process_resident_memory_bytes"].samples[0].value > 1 << 20
