"""The harness of the benchmarks writes what is well-formed. No figure is judged here: the suite asserts no times."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.performance import __main__ as harness
from tests.performance.harness import exit_code
from tests.performance.machine import facts
from tests.performance.peers import LOCK, Peers
from tests.performance.results import AtLeast, AtMost, Figure, Result, shown, summary, table, write

if TYPE_CHECKING:
    from pathlib import Path

RESULTS = (
    Result(
        "alpha",
        "what alpha does",
        (Figure("cost", 12.345, "us"), Figure("ratio", 0.5, "x", AtMost(0.5)), Figure("gain", 9.0, "x", AtLeast(10))),
        1.25,
    ),
    Result("beta", "what beta does", (), 0.0, "RuntimeError: it broke"),
)


def test_each_figure_has_a_line_with_value_goal_and_verdict() -> None:
    lines = table(RESULTS).splitlines()
    assert [line.split() for line in lines if line.startswith("  ")] == [
        ["cost", "12.3", "us"],
        ["ratio", "0.500", "x", "<=", "0.500", "met"],
        ["gain", "9.00", "x", ">=", "10.0", "MISSED"],
        ["failed:", "RuntimeError:", "it", "broke"],
    ]
    figures = [line for line in lines if line.startswith(("  cost", "  ratio", "  gain"))]
    assert len({re.search(r" (us|x) ", line + " ").start() for line in figures}) == 1  # type: ignore[union-attr]


def test_documents_say_what_was_missed_and_what_failed(tmp_path: Path) -> None:
    document = summary(RESULTS, {"cores": 2}, {"peer": "1"}, quick=True)
    write(tmp_path, RESULTS, document)
    assert {path.name for path in tmp_path.iterdir()} == {"alpha.json", "beta.json", "summary.json"}
    read: dict[str, Any] = json.loads((tmp_path / "summary.json").read_text())
    assert read == document
    assert (read["goals"], read["failed"], read["quick"]) == ({"met": 1, "missed": ["alpha: gain"]}, ["beta"], True)
    alpha = json.loads((tmp_path / "alpha.json").read_text())
    assert alpha == read["benchmarks"][0]
    assert alpha["figures"][1] == {"name": "ratio", "value": 0.5, "unit": "x", "goal": {"at_most": 0.5}, "met": True}


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (0.0001234, "0.000123"), (9.999, "10.00"), (1234.5, "1234")])
def test_numbers_keep_three_digits(value: float, text: str) -> None:
    assert shown(value) == text


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="cost is nan"):
        Figure("cost", float("nan"), "us")


def test_facts_name_no_machine_and_no_path() -> None:
    text = json.dumps(facts())
    assert socket.gethostname() not in text
    assert "/" not in text.replace("GenuineIntel", "")


def test_a_fast_benchmark_runs_through_the_whole_harness(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness.main(["--only", "slot-lookup", "--quick", "--json", "--out", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "summary.json").read_text())
    [result] = told["benchmarks"]
    assert (result["benchmark"], result["error"]) == ("slot-lookup", None)
    assert {"name", "value", "unit", "goal", "met"} == set(result["figures"][0])


def test_a_missed_goal_fails_only_when_asked_to_check() -> None:
    missed = {"goals": {"missed": ["alpha: gain"]}, "failed": []}
    assert (exit_code(missed, check=False), exit_code(missed, check=True)) == (0, 1)
    assert exit_code({"goals": {"missed": []}, "failed": ["beta"]}, check=False) == 1


def test_names_are_unique_and_peers_are_pinned_without_naming_a_host(tmp_path: Path) -> None:
    names = [benchmark.name for benchmark in harness.benchmarks()]
    assert len(set(names)) == len(names) == 15
    assert {"dbos", "langgraph", "uvicorn"} <= set(Peers(tmp_path, print).versions())
    assert "://" not in LOCK.read_text(encoding="utf-8")
