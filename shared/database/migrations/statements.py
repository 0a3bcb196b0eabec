"""A migration's statements: enough of SQL's lexical rules to never see a keyword inside a string or a comment.

Source: PostgreSQL manual, 4.1 Lexical Structure. Promises: strings, quoted identifiers, dollar-quoted bodies and
comments (nested too) are known. Does not: parse; the linter looks at the words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN: Final = re.compile(
    r"(?P<line>--[^\n]*)"
    r"|(?P<block>/\*)"
    r"|(?P<string>[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*')"
    r'|(?P<quoted>"(?:[^"]|"")*")'
    r"|(?P<dollar>\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$)"
    r"|(?P<end>;)"
    r"|(?P<space>\s+)"
    r"|(?P<word>\w+|.)",
    re.DOTALL,
)
_BLOCK: Final = re.compile(r"/\*|\*/")
_ALLOW: Final = re.compile(r"--\s*hal9:\s*allow\s+(?P<rules>[a-z, -]+?)\s*:\s*(?P<reason>\S.*)")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.

    Attributes:
        text: in lower case but for quoted identifiers, without comments, each string as '', one blank between words.
        line: the number of its first line, from 1.
        allowed: the rules that a comment before or inside it allows it to break: `-- hal9: allow RULE: reason`.
    """

    text: str
    line: int
    allowed: frozenset[str]


def split(sql: str) -> Iterator[Statement]:
    """The statements of a text, in order."""
    parts: list[str] = []
    allowed: set[str] = set()
    position = line = first = 0
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        assert match is not None  # noqa: S101 - the last alternative takes any character
        kind, text = match.lastgroup, match[0]
        if kind == "block":
            text = sql[position : _end_of_comment(sql, position)]
        if kind == "line" and (allow := _ALLOW.match(text)):
            allowed.update(rule.strip() for rule in allow["rules"].split(","))
        elif kind == "end":
            if words := " ".join("".join(parts).split()):
                yield Statement(words, first + 1, frozenset(allowed))
            parts, allowed = [], set()
        elif text.strip() and kind not in {"line", "block"}:
            first = first if any(parts) and "".join(parts).strip() else line
        parts.append(_shown(kind, text))
        line += text.count("\n")
        position += len(text)
    if words := " ".join("".join(parts).split()):
        yield Statement(words, first + 1, frozenset(allowed))


def _shown(kind: str | None, text: str) -> str:
    """A token as the rules see it."""
    match kind:
        case "line" | "block" | "space":
            return " "
        case "string":
            return "''"
        case "dollar" | "tag":
            return "$$"
        case "end":
            return ""
        case "quoted":
            return text
        case _:
            return text.lower()


def _end_of_comment(sql: str, start: int) -> int:
    """Where the block comment that begins at `start` ends; comments nest."""
    depth = 0
    for match in _BLOCK.finditer(sql, start):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    return len(sql)
