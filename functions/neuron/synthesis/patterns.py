"""Makes texts that match a regular expression: a template whose `{n}` makes each text another one.

Where a pattern has room for letters only, the counter is written in the letters a to j, which stand for its digits:
`{n:a4}` is four of them, `{n:A4}` four capitals. `format` knows nothing of that; `filled` and `counter` do.
"""

from __future__ import annotations

import re
from re import _constants as sre  # type: ignore[attr-defined]  # the parsed form that `re` itself uses
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final

_MOST: Final = 12


def sample(pattern: str, shortest: int = 0, longest: int | None = None) -> str:
    """Give a template of texts that match: its longest run of free digits (or else letters) holds the counter.

    Args:
        pattern: An anchored regular expression.
        shortest: Texts are at least so long where the pattern allows it.
        longest: Texts are at most so long where the pattern allows it.

    Returns:
        A template for `str.format(n=…)`; without a counter when the pattern leaves no room for one.
    """
    pieces = _pieces(_parser.parse(pattern), max(shortest, 0))
    text = "".join(character for character, _ in pieces)
    if longest is not None and len(text) > longest:
        pieces = _pieces(_parser.parse(pattern), 0)
    kinds = [kind for _, kind in pieces]
    written = [character.replace("{", "{{").replace("}", "}}") for character, _ in pieces]
    for kind, counter in (("digit", "0{0}d"), ("lower", "a{0}"), ("upper", "A{0}")):
        run = _longest_run(kinds, kind)
        if run is not None:
            start, end = run
            written[start:end] = ["{n:" + counter.format(end - start) + "}"]
            break
    template = "".join(written)
    return template if re.search(pattern, filled(template, 1)) else text.replace("{", "{{").replace("}", "}}")


_LETTERED: Final = re.compile(r"\{(\w+):([aA])(\d+)\}")


def filled(template: str, number: int) -> str:
    """Give the text of a template for a number."""

    def written(match: re.Match[str]) -> str:
        return "".join(chr(ord(match[2]) + int(digit)) for digit in str(number).zfill(int(match[3])))

    return _LETTERED.sub(written, template).format(n=number)


def counter(template: str) -> str:
    """Write the counters in letters of a template as expressions that Python's f-strings can hold."""

    def written(match: re.Match[str]) -> str:
        letters = "".join(chr(ord(match[2]) + digit) for digit in range(10))
        digits = f"f'{{{match[1]}:0{match[3]}d}}'"
        return f"{{{digits}.translate(str.maketrans('0123456789', '{letters}'))}}"

    return _LETTERED.sub(written, template)


def _longest_run(kinds: list[str], wanted: str) -> tuple[int, int] | None:
    best: tuple[int, int] | None = None
    start = 0
    for i in range(len(kinds) + 1):
        if i == len(kinds) or kinds[i] != wanted:
            if i > start and (best is None or i - start > best[1] - best[0]):
                best = (start, i)
            start = i + 1
    return best


def _pieces(parsed: Any, wanted: int) -> list[tuple[str, str]]:
    """Give characters that match, each with what it is: `fixed`, `digit`, `lower` or `upper` (any would do), `free`."""
    found: list[tuple[str, str]] = []
    for operation, argument in parsed:
        found += _piece(operation, argument, wanted - len(found))
    return found


def _piece(operation: Any, argument: Any, wanted: int) -> list[tuple[str, str]]:
    if operation is sre.LITERAL:
        return [(chr(argument), "fixed")]
    if operation is sre.IN:
        return [_member(argument)]
    if operation is sre.ANY:
        return [("0", "digit")]
    if operation is sre.NOT_LITERAL:
        return [("0" if chr(argument) != "0" else "1", "free")]
    if operation in {sre.MAX_REPEAT, sre.MIN_REPEAT}:
        least, most, inner = argument
        count = max(int(least), min(int(most), max(1 if int(most) else 0, min(wanted, _MOST), min(int(most), 4))))
        return [piece for _ in range(count) for piece in _pieces(inner, 0)]
    if operation is sre.SUBPATTERN:
        return _pieces(argument[-1], wanted)
    if operation is sre.BRANCH:
        return _pieces(argument[1][0], wanted)
    return []


def _member(members: Any) -> tuple[str, str]:
    """Choose a character of a class; one that holds every digit gives a digit."""
    allowed = {chr(code) for code in range(33, 127) if _matches(members, code)}
    if set("0123456789") <= allowed:
        return "0", "digit"
    for first, kind in (("a", "lower"), ("A", "upper")):
        if {chr(ord(first) + digit) for digit in range(10)} <= allowed:
            return first, kind
    letters = sorted(c for c in allowed if c.isalpha())
    return (letters or sorted(allowed) or ["a"])[0], "free"


def _matches(members: Any, code: int) -> bool:
    negated = bool(members) and members[0][0] is sre.NEGATE
    inside = any(_inside(operation, argument, code) for operation, argument in members)
    return inside != negated


def _inside(operation: Any, argument: Any, code: int) -> bool:
    if operation is sre.LITERAL:
        return bool(argument == code)
    if operation is sre.RANGE:
        return bool(argument[0] <= code <= argument[1])
    if operation is sre.CATEGORY:
        classes = {sre.CATEGORY_DIGIT: str.isdigit, sre.CATEGORY_WORD: _is_word, sre.CATEGORY_SPACE: str.isspace}
        return argument in classes and bool(classes[argument](chr(code)))
    return False


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
