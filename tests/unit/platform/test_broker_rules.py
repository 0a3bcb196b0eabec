"""The broker's rules as Knative has them: codes, pauses, Retry-After, dead letters, the hostile switch."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import CloudEvent, codec
from functions.gateway.eventlimits import MAX_ATTRIBUTE_BYTES, MAX_OWN_EXTENSIONS, excesses
from knative.framing import DEFAULT_LIMITS, field_bytes
from knative.platform.broker.hostile import Hostile
from knative.platform.broker.rules import (
    LONGEST_PAUSE_SECONDS,
    Outcome,
    Policy,
    dead_letter,
    pause,
    retry_after_seconds,
)

RETRIED = {404, 408, 409, 429}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_each_code_is_treated_as_knative_does() -> None:
    for status in range(100, 600):
        outcome = Outcome(status)
        assert outcome.delivered == (200 <= status < 300)
        assert outcome.retryable == (status >= 500 or status in RETRIED)


def test_no_answer_is_retried() -> None:
    assert Outcome(None).retryable
    assert not Outcome(None).delivered


def test_exponential_pauses_double_from_the_delay() -> None:
    policy = Policy(backoff="exponential", delay_seconds=0.2)
    assert [pause(policy, n, None) for n in range(4)] == [0.2, 0.4, 0.8, 1.6]


def test_linear_pauses_grow_by_the_delay() -> None:
    policy = Policy(backoff="linear", delay_seconds=0.5)
    assert [pause(policy, n, None) for n in range(4)] == [0.0, 0.5, 1.0, 1.5]


def test_retry_after_lengthens_a_pause_and_never_shortens_it() -> None:
    policy = Policy(delay_seconds=2.0)
    assert pause(policy, 0, 7.0) == 7.0
    assert pause(policy, 0, 1.0) == 2.0


@given(st.sampled_from(["linear", "exponential"]), st.integers(0, 10_000), st.floats(0, 1e12) | st.none())
def test_pauses_are_bounded(backoff: str, retries: int, retry_after: float | None) -> None:
    assert 0 <= pause(Policy(backoff=backoff, delay_seconds=60), retries, retry_after) <= LONGEST_PAUSE_SECONDS


def test_the_sink_is_tried_often() -> None:
    assert pause(Policy(endless=True, delay_seconds=1), 50, None) == 30.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3.0), (" 12 ", 12.0), ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0), ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0)],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@pytest.mark.parametrize("value", ["", "soon", "-1", "1.5", "٣"])
def test_a_strange_retry_after_is_none(value: str) -> None:
    assert retry_after_seconds(value, NOW) is None


@given(st.text(max_size=40))
def test_retry_after_never_breaks(value: str) -> None:
    found = retry_after_seconds(value, NOW)
    assert found is None or found >= 0


def event() -> CloudEvent:
    return CloudEvent(id="1", source="/s", type="t")


def test_a_dead_letter_says_what_knative_says() -> None:
    letter = dead_letter(event(), Outcome(422, "no\nsuch \x00thing"), "http://neuron-l4/events")
    assert letter.extensions["knativeerrorcode"] == 422
    assert letter.extensions["knativeerrordata"] == "no such  thing"
    assert letter.extensions["knativeerrordest"] == "http://neuron-l4/events"
    assert (letter.id, letter.source, letter.type) == ("1", "/s", "t")


@given(st.text(max_size=3000))
def test_whatever_a_subscriber_said_makes_a_valid_dead_letter(data: str) -> None:
    letter = dead_letter(event(), Outcome(None, data), "http://x/events")
    assert letter.extensions["knativeerrorcode"] == -1
    assert len(str(letter.extensions.get("knativeerrordata", ""))) <= 1024


def test_hostile_switch() -> None:
    assert Hostile.parse("") == Hostile()
    parsed = Hostile.parse("duplicate=3,delay=0.2, reorder=1,fail=0.1,seed=7")
    assert (parsed.duplicate, parsed.delay, parsed.reorder, parsed.fail, parsed.seed) == (3, 0.2, True, 0.1, 7)


@pytest.mark.parametrize("text", ["twice", "duplicate", "duplicate=0", "duplicate=x", "fail=1", "delay=-1", "many=2"])
def test_hostile_switch_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"duplicate|number"):
        Hostile.parse(text)


def test_the_same_seed_decides_the_same() -> None:
    def decisions() -> list[object]:
        hostile = Hostile.parse("delay=1,reorder=1,fail=0.5,seed=3")
        return [(hostile.hold_back(), hostile.pick(9), hostile.lose()) for _ in range(50)]

    assert decisions() == decisions()
    assert {what[2] for what in decisions()} == {"", "before", "after"}  # type: ignore[index]


def test_the_largest_event_from_outside_has_room_as_a_dead_letter() -> None:
    extensions = {f"x{number}": "y" for number in range(MAX_OWN_EXTENSIONS)}
    stamped = event().replace(extensions=extensions).with_extensions(orgid="o" * 36, traceparent="t" * 55)
    longest = next(
        one
        for length in range(MAX_ATTRIBUTE_BYTES, 0, -1)
        if not list(excesses(one := stamped.replace(subject="s" * length)))
    )
    letter = dead_letter(longest, Outcome(422, '"' * 4000), "http://codegen.hal9.svc.cluster.local/events")
    headers, _ = codec.to_binary(letter)
    token = 2048
    assert sum(field_bytes(*header) for header in headers) + token < DEFAULT_LIMITS.bytes
    assert len(headers) + 20 < DEFAULT_LIMITS.count
    assert codec.decode(headers, b"") == letter.replace(extensions={**letter.extensions, "knativeerrorcode": "422"})
