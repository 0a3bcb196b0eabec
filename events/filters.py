"""Filters of subscriptions (CloudEvents Subscriptions, section 3.2.4), as Knative's Triggers write them.

They are compiled once to closures:

    wanted = filters.compile_filters([{"exact": {"type": "com.github.push"}}, {"not": {"prefix": {"subject":
    "test/"}}}])
    wanted(event)

Dialects: `exact`, `prefix`, `suffix` (each attribute named must match), `all`, `any`, `not`, `cesql` (the
specification's name for it is `sql`). Promises: a filter that compiled never raises; one that is wrong is refused with
every fault named. An attribute that the event has not matches nothing; values that are no strings are compared by their
canonical text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from events import cesql
from events.cloudevent import CloudEvent, Fault, attribute_name_fault
from events.codec import canonical_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from events.cloudevent import AttributeValue

DIALECTS: Final = ("exact", "prefix", "suffix", "all", "any", "not", "cesql")
"""The dialects, by the names that Knative gives them."""

MAX_NESTING: Final = 32
"""`all`, `any` and `not` within one another, at most."""

MAX_FILTERS: Final = 1000
"""Filters in one expression, nested ones included, at most."""

Attributes = Mapping[str, "AttributeValue"]
_Test = Callable[[Attributes], bool]


class FilterError(ValueError):
    """A filter is wrong.

    Attributes:
        faults: Every fault; `attribute` is the JSON pointer (RFC 6901) of what is wrong.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Keep the faults and say them all in the message."""
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{fault.attribute or '/'} {fault.detail}" for fault in self.faults))


class Filter:
    """A compiled filter; call it with an event."""

    __slots__ = ("_test",)

    def __init__(self, test: _Test) -> None:
        """Keep what `compile_filters` made."""
        self._test = test

    def __call__(self, event: CloudEvent) -> bool:
        """Tell whether the event passes."""
        return self._test(event.attributes())

    def passes(self, attributes: Attributes) -> bool:
        """Tell whether an event with these attributes passes: for many filters on one event."""
        return self._test(attributes)


def compile_filters(expressions: object) -> Filter:
    """Compile a subscription's filters; an event must pass them all, and passes when there are none.

    Args:
        expressions: The list of filter expressions, as JSON values; one expression alone stands for a list of one.

    Raises:
        FilterError: With every fault.
    """
    compiler = _Compiler()
    if isinstance(expressions, list | tuple):
        tests = [compiler.expression(expression, f"/{index}", 1) for index, expression in enumerate(expressions)]
    else:
        tests = [compiler.expression(expressions, "", 1)]
    if compiler.faults:
        raise FilterError(compiler.faults)
    return Filter(_all(tests))


class _Compiler:
    """Compiles expressions and gathers what is wrong with them."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._count = 0

    def _fault(self, pointer: str, detail: str) -> _Test:
        self.faults.append(Fault(pointer, detail))
        return _never

    def expression(self, expression: object, pointer: str, depth: int) -> _Test:
        self._count += 1
        if self._count > MAX_FILTERS:
            return (
                _never
                if self._count > MAX_FILTERS + 1
                else self._fault(pointer, f"is one filter too many: at most {MAX_FILTERS}")
            )
        if depth > MAX_NESTING:
            return self._fault(pointer, f"is nested more than {MAX_NESTING} deep")
        if not isinstance(expression, Mapping):
            return self._fault(pointer, "must be an object with one dialect")
        if len(expression) != 1:
            return self._fault(pointer, f"must name one dialect ({', '.join(DIALECTS)}), not {len(expression)}")
        ((dialect, body),) = expression.items()
        place = f"{pointer}/{_escaped(str(dialect))}"
        if dialect in ("exact", "prefix", "suffix"):
            return self._matching(dialect, body, place)
        if dialect in ("all", "any"):
            return self._several(dialect, body, place, depth)
        if dialect == "not":
            inner = self.expression(body, place, depth + 1)
            return lambda attributes: not inner(attributes)
        if dialect in ("cesql", "sql"):
            return self._cesql(body, place)
        return self._fault(place, f"is no dialect: {', '.join(DIALECTS)} are")

    def _matching(self, dialect: str, body: object, pointer: str) -> _Test:
        if not isinstance(body, Mapping) or not body:
            return self._fault(pointer, "must be an object with at least one attribute")
        tests: list[_Test] = []
        for name, value in body.items():
            place = f"{pointer}/{_escaped(str(name))}"
            fault = attribute_name_fault(name) if isinstance(name, str) else "must be an attribute's name"
            if fault is not None:
                self._fault(place, fault)
            elif not isinstance(value, str) or not value:
                self._fault(place, "must be a string that is not empty")
            else:
                tests.append(_MATCHERS[dialect](name, value))
        return _all(tests)

    def _several(self, dialect: str, body: object, pointer: str, depth: int) -> _Test:
        if not isinstance(body, list | tuple) or not body:
            return self._fault(pointer, "must be a list with at least one filter")
        tests = [self.expression(expression, f"{pointer}/{index}", depth + 1) for index, expression in enumerate(body)]
        return _all(tests) if dialect == "all" else _any(tests)

    def _cesql(self, body: object, pointer: str) -> _Test:
        if not isinstance(body, str) or not body.strip():
            return self._fault(pointer, "must be a CESQL expression")
        try:
            return cesql.parse(body).passes
        except cesql.ParseError as error:
            return self._fault(pointer, f"is no CESQL expression: {error.detail}")


def _never(attributes: Attributes) -> bool:
    del attributes
    return False


def _all(tests: list[_Test]) -> _Test:
    if len(tests) == 1:
        return tests[0]
    return lambda attributes: all(test(attributes) for test in tests)


def _any(tests: list[_Test]) -> _Test:
    if len(tests) == 1:
        return tests[0]
    return lambda attributes: any(test(attributes) for test in tests)


def _text(attributes: Attributes, name: str) -> str | None:
    value = attributes.get(name)
    return value if value is None or type(value) is str else canonical_text(value)


def _exact(name: str, wanted: str) -> _Test:
    return lambda attributes: _text(attributes, name) == wanted


def _prefix(name: str, wanted: str) -> _Test:
    return lambda attributes: (_text(attributes, name) or "").startswith(wanted)


def _suffix(name: str, wanted: str) -> _Test:
    return lambda attributes: (_text(attributes, name) or "").endswith(wanted)


_MATCHERS: Final[Mapping[str, Callable[[str, str], _Test]]] = {"exact": _exact, "prefix": _prefix, "suffix": _suffix}


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
