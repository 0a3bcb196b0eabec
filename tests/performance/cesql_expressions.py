"""What CESQL expressions cost, against the same test written by hand in Python."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from events import cesql, codec
from tests.performance.benchmark import Benchmark
from tests.performance.codec_events import ATTRIBUTES
from tests.performance.processor import per_call
from tests.performance.results import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.performance.benchmark import Conditions

_LIKE: Final = re.compile(r"ai\.hal9\..*\.requested", re.DOTALL)

EXPRESSIONS: Final[dict[str, Callable[[Mapping[str, Any]], Any]]] = {
    "type = 'ai.hal9.neuron.step.requested'": lambda a: a["type"] == "ai.hal9.neuron.step.requested",
    "type = 'ai.hal9.neuron.step.requested' AND executor = 'neuron-l3'": lambda a: (
        a["type"] == "ai.hal9.neuron.step.requested" and a["executor"] == "neuron-l3"
    ),
    "type LIKE 'ai.hal9.%.requested'": lambda a: _LIKE.fullmatch(a["type"]) is not None,
    "executor IN ('neuron-l4', 'neuron-l3', 'neuron-l2')": lambda a: (
        a["executor"] in ("neuron-l4", "neuron-l3", "neuron-l2")
    ),
    "EXISTS priority AND priority > 5": lambda a: "priority" in a and int(a["priority"]) > 5,
    "LENGTH(CONCAT(source, '/', type)) > 40": lambda a: len(a["source"] + "/" + a["type"]) > 40,
    "UPPER(SUBSTRING(type, 4, 4)) = 'HAL9' OR NOT (subject = '')": lambda a: (
        a["type"][3:7].upper() == "HAL9" or not a["subject"] == ""  # noqa: SIM201 - as the expression says it
    ),
    "INT('17') * 3 % 7 + LENGTH(id) >= 4": lambda a: int("17") * 3 % 7 + len(a["id"]) >= 4,
}


def measure(conditions: Conditions) -> list[Figure]:
    """Microseconds of CPU to evaluate each expression on one event's attributes, and to parse it."""
    headers = [(f"ce-{name}".encode(), value.encode()) for name, value in ATTRIBUTES.items()]
    attributes = codec.decode(headers, b"").attributes()
    rounds, found, parsing = conditions.rounds(7, 2), [], []
    for text, by_hand in EXPRESSIONS.items():
        expression = cesql.parse(text)
        wanted, evaluation = by_hand(attributes), expression.evaluate(attributes)
        if (evaluation.value, evaluation.error) != (wanted, None):
            raise RuntimeError(f"{text} is {evaluation}, and by hand {wanted}")
        cost = per_call(lambda compiled=expression: compiled.evaluate(attributes), rounds)  # type: ignore[misc]
        least = per_call(lambda test=by_hand: test(attributes), rounds)  # type: ignore[misc]
        parsing.append(per_call(lambda source=text: cesql.parse(source), rounds))  # type: ignore[misc]
        found += [Figure(text, cost / 1000, "us"), Figure("  against Python by hand", cost / least, "x")]
    return [*found, Figure("parsing one, mean", sum(parsing) / len(parsing) / 1000, "us")]


BENCHMARK = Benchmark("cesql", "expressions evaluated on an event's attributes", measure)
