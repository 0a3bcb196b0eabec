"""CESQL against the specification's own conformance tests (TCK), all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from events import CloudEvent, cesql, codec

FOLDER = Path(__file__).parent / "cesql_tck"
FILES = sorted(path.name for path in FOLDER.glob("*.yaml"))


class _PlainTimes(yaml.SafeLoader):
    """YAML without its timestamps: the tests mean strings."""


_PlainTimes.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _cases() -> list[Any]:
    found = []
    for name in FILES:
        text = (FOLDER / name).read_text()
        document = yaml.load(text, Loader=_PlainTimes)
        as_written = yaml.load(text, Loader=yaml.BaseLoader)  # an expression such as TRUE is text, too
        for case, written in zip(document["tests"], as_written["tests"], strict=True):
            case["expression"] = written["expression"]
            found.append(pytest.param(name, case, id=f"{name[:-5]}: {case['name']}"))
    return found


CASES = _cases()


def _attributes(case: dict[str, Any]) -> dict[str, Any]:
    base: dict[str, Any] = {
        "specversion": "1.0",
        "id": "any",
        "source": "/any",
        "type": "any.type",
        "time": "2026-01-01T00:00:00Z",
    }
    members = case.get("event") or {**base, **case.get("eventOverrides", {})}
    extensions = {
        name: value
        for name, value in members.items()
        if name not in ("specversion", "id", "source", "type", "subject", "time")
    }
    event = CloudEvent(
        id=members["id"],
        source=members["source"],
        type=members["type"],
        subject=members.get("subject"),
        time=members.get("time"),
        extensions=extensions,
    )
    assert codec.from_structured(codec.to_structured(event)) == event
    return event.attributes()


def _has_prefix(text: str, prefix: str) -> bool:
    return text.startswith(prefix)


def _konkat(*texts: str) -> str:
    return "".join(texts)


_OWN_FUNCTIONS = cesql.BUILTIN.extended(
    cesql.Function("HASPREFIX", (str, str), None, bool, _has_prefix), cesql.Function("KONKAT", (), str, str, _konkat)
)


def test_every_file_of_the_kit_is_there() -> None:
    assert len(FILES) == 19
    assert len(CASES) == 275 + 8


@pytest.mark.parametrize(("name", "case"), CASES)
def test_conformance(name: str, case: dict[str, Any]) -> None:
    functions = _OWN_FUNCTIONS if name == "user_defined_functions.yaml" else cesql.BUILTIN
    error = case.get("error")
    if error == "parse":
        with pytest.raises(cesql.ParseError):
            cesql.parse(case["expression"], functions)
        return
    evaluation = cesql.parse(case["expression"], functions).evaluate(_attributes(case))
    assert (None if evaluation.error is None else evaluation.error.kind) == error
    if "result" in case:
        assert evaluation.value == case["result"]
        assert type(evaluation.value) is type(case["result"])
