"""Roll-outs are judged by what did not happen by chance: properties, simulated roll-outs, and an independent oracle."""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knative.deploy.judgement import ENOUGH, RISK, TESTS, Limits, Sample, chance, judge, levels

EDGES = (0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, math.inf)
LEVELS = levels(TESTS, 24)


def sample(successes: int = 0, failed: int = 0, refused: int = 0, seconds: list[float] | None = None) -> Sample:
    times = [0.01] * successes if seconds is None else seconds
    within = tuple((edge, sum(one <= edge for one in times)) for edge in EDGES)
    answers = {2: len(times), 4: refused, 5: failed}
    return Sample({code: count for code, count in answers.items() if count}, within if times else ())


def judged(old: Sample, new: Sample) -> tuple[str, ...]:
    return judge(old, new, Limits(), LEVELS.last, last=True).faults


def test_one_failed_request_of_ten_is_no_reason_and_twenty_percent_are() -> None:
    assert judged(sample(90), sample(9, failed=1)) == ()
    assert "10 of 50 requests (20.0%) failed" in judged(sample(450), sample(40, failed=10))[0]


def test_many_failures_are_seen_long_before_the_time_is_up() -> None:
    early = judge(sample(90), sample(4, failed=6), Limits(), LEVELS.early, last=False)
    assert early.bad
    assert not early.enough


def test_few_requests_half_of_which_fail_are_not_let_through() -> None:
    assert judged(sample(18), sample(1, failed=1)) != ()
    assert judge(sample(18), sample(1, failed=1), Limits(), LEVELS.last, last=False).faults == ()
    assert judged(sample(9, failed=9), sample(1, failed=1)) == (), "the old one fails as often"


def test_what_the_old_version_does_as_badly_is_not_held_against_the_new() -> None:
    assert judged(sample(700, failed=200, refused=100), sample(70, failed=20, refused=10)) == ()


def test_refusals_count_as_failures_do() -> None:
    assert "were refused (4xx)" in judged(sample(900), sample(80, refused=20))[0]


def test_what_is_tolerated_is_the_callers_to_say() -> None:
    old, new = sample(4900, failed=100), sample(470, failed=30)
    assert judge(old, new, Limits(error_ratio=1.5), LEVELS.last, last=True).bad
    assert not judge(old, new, Limits(error_ratio=4.0), LEVELS.last, last=True).bad


def test_a_slower_version_is_found_and_one_that_nobody_would_notice_is_not() -> None:
    old = sample(seconds=[0.03] * 450)
    assert "95% were answered within" in judged(old, sample(seconds=[0.18] * 50))[0]
    assert judged(old, sample(seconds=[0.039] * 50)) == ()
    assert judged(sample(seconds=[0.004] * 450), sample(seconds=[0.018] * 50)) == (), "14 ms are not noticed"


def test_a_few_slow_requests_are_found_when_they_are_one_in_ten() -> None:
    old = sample(seconds=[0.03] * 900)
    assert judged(old, sample(seconds=[0.03] * 85 + [0.9] * 15)) != ()
    assert judged(old, sample(seconds=[0.03] * 98 + [0.9] * 2)) == ()


def test_with_nothing_to_compare_nothing_is_bad() -> None:
    for old, new in itertools.product((Sample(), sample(100)), (Sample(), sample(3))):
        found = judge(old, new, Limits(), LEVELS.last, last=True)
        assert (found.faults, found.enough) == ((), False)


def test_a_percentile_is_interpolated_within_its_bucket() -> None:
    assert sample(seconds=[0.03] * 100).p95_seconds == pytest.approx(0.02 + 0.02 * 0.95)
    assert sample(seconds=[9.0] * 10).p95_seconds == 5.0
    assert Sample().p95_seconds is None


def exactly(new: tuple[int, int], old: tuple[int, int], ratio: Fraction) -> Fraction:
    """Fisher's test by its definition, in whole numbers."""
    (failed, asked), (before, asked_before) = new, old
    altogether = failed + before
    weights = {
        count: math.comb(asked, count) * math.comb(asked_before, altogether - count) * ratio**count
        for count in range(max(0, altogether - asked_before), min(altogether, asked) + 1)
    }
    return Fraction(sum(weight for count, weight in weights.items() if count >= failed), sum(weights.values()))


COUNTS = st.integers(0, 60).flatmap(lambda asked: st.tuples(st.integers(0, asked), st.just(asked)))


@given(COUNTS, COUNTS, st.sampled_from([Fraction(1), Fraction(3, 2), Fraction(4)]))
def test_the_chance_is_fishers(new: tuple[int, int], old: tuple[int, int], ratio: Fraction) -> None:
    assert chance(new, old, float(ratio)) == pytest.approx(float(exactly(new, old, ratio)), rel=1e-9)


@given(COUNTS, COUNTS)
def test_another_failure_is_never_better(new: tuple[int, int], old: tuple[int, int]) -> None:
    failed, asked = new
    if failed < asked:
        assert chance((failed + 1, asked), old, 1.5) <= chance(new, old, 1.5) * (1 + 1e-9)


@given(st.integers(0, 2000), st.integers(0, 2000), st.integers(0, 200), st.integers(0, 200))
def test_a_version_without_failures_is_never_bad_for_them(old: int, new: int, failed: int, refused: int) -> None:
    assert judged(sample(old, failed=failed, refused=refused), sample(new)) == ()


@given(st.integers(0, 300), st.integers(0, 100), st.integers(0, 100), st.integers(1, 9))
def test_the_same_shares_are_never_bad(successes: int, failed: int, refused: int, times: int) -> None:
    old = sample(successes * times, failed=failed * times, refused=refused * times)
    assert judged(old, sample(successes, failed=failed, refused=refused)) == ()


def test_large_counts_are_computed_without_overflow() -> None:
    assert chance((30_000, 100_000), (270_000, 900_000), 1.0) == pytest.approx(0.5, abs=0.01)
    assert chance((99_000, 100_000), (100, 900_000), 1.5) == 0.0


def roll_out(random_: random.Random, failing: tuple[float, float], looks: int, each: int) -> bool:
    """Simulate one roll-out at 10 percent; whether the new version is rolled back."""
    old, new = [0, 0], [0, 0]
    for look in range(looks):
        for _ in range(each):
            side, share = (new, failing[1]) if random_.random() < 0.1 else (old, failing[0])
            side[0] += 1
            side[1] += random_.random() < share
        before, now = (sample(count - failed, failed=failed) for count, failed in (old, new))
        last = look == looks - 1
        risk = levels(TESTS, looks)
        if judge(before, now, Limits(), risk.last if last else risk.early, last=last).bad:
            return True
    return False


@pytest.mark.parametrize("share", [0.0, 0.02, 0.2])
def test_good_versions_are_rolled_back_no_more_often_than_is_promised(share: float) -> None:
    random_ = random.Random(f"good {share}")
    found = sum(roll_out(random_, (share, share), looks=12, each=40) for _ in range(300))
    assert found <= 300 * RISK


def test_bad_versions_are_rolled_back() -> None:
    random_ = random.Random("bad")
    found = sum(roll_out(random_, (0.01, 0.2), looks=12, each=ENOUGH) for _ in range(100))
    assert found >= 98


@given(st.integers(1, 60), st.integers(1, 720))
def test_the_risk_is_divided_and_not_multiplied(tests: int, looks: int) -> None:
    found = levels(tests, looks)
    assert tests * (found.last + looks * found.early) == pytest.approx(RISK)
