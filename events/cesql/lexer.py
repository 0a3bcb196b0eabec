"""Tokens of CESQL (section 2)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from events.cesql.values import ParseError

KEYWORDS: Final = frozenset({"AND", "OR", "XOR", "NOT", "LIKE", "EXISTS", "IN", "TRUE", "FALSE"})

_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    | (?P<word>[A-Za-z0-9][A-Za-z0-9_]*)
    | (?P<symbol>!=|<>|<=|>=|[=<>+\-*/%(),])
    | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""",
    re.VERBOSE | re.DOTALL,
)
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9]+").fullmatch
_FUNCTION: Final = re.compile(r"[A-Za-z][A-Za-z_]*").fullmatch
_DIGITS: Final = re.compile(r"[0-9]+").fullmatch
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


class Token(NamedTuple):
    """One token.

    Attributes:
        kind: A keyword in upper case, a symbol, or `integer`, `string`, `identifier` (an attribute's or a function's
            name), `function` (only a function's), `end`.
        text: As written; without quotes and escapes for strings.
        position: Where it begins, from 0.
        end: Where it ends.
    """

    kind: str
    text: str
    position: int
    end: int

    @property
    def names_function(self) -> bool:
        """Whether it can be a function's name."""
        return self.kind in ("identifier", "function") and _FUNCTION(self.text) is not None


def tokens(text: str) -> list[Token]:
    """Cut an expression into its tokens; the last one is `end`.

    Raises:
        ParseError: There is something that is no token.
    """
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ParseError(_fault(text, position), position)
        position = match.end()
        if match.lastgroup != "space":
            found.append(_token(match))
    found.append(Token("end", "", position, position))
    return found


def _token(match: re.Match[str]) -> Token:
    text = match[0]
    if match.lastgroup == "symbol":
        return Token(text, text, match.start(), match.end())
    if match.lastgroup == "string":
        return Token("string", _unescaped(text), match.start(), match.end())
    return Token(_word_kind(text, match.start()), text, match.start(), match.end())


def _word_kind(text: str, position: int) -> str:
    if _DIGITS(text):
        return "integer"
    if _IDENTIFIER(text):
        upper = text.upper()
        return upper if upper in KEYWORDS else "identifier"
    if _FUNCTION(text):
        return "function"
    raise ParseError(f"{text[:40]!r} is no name", position)


def _unescaped(literal: str) -> str:
    """Take away the quotes and the escapes of that quote; every other backslash stands for itself."""
    quote = literal[0]
    return _ESCAPE.sub(lambda escape: quote if escape[1] == quote else escape[0], literal[1:-1])


def _fault(text: str, position: int) -> str:
    character = text[position]
    return "a string literal has no end" if character in "'\"" else f"{character!r} means nothing here"
