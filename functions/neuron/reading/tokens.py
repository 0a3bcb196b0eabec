"""Cuts a request into tokens that know where they stand.

Promises: tokens do not overlap and stand in order; what lies between two of them is white space; `start` and `end`
are code point offsets; the time is
proportional to the text's length. Does not decide what a token means in its sentence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from functions.neuron.reading import morphology


class Kind(Enum):
    """What a token is by its form alone."""

    WORD = "word"
    NUMBER = "number"
    MONEY = "money"
    PERCENT = "percent"
    QUOTED = "quoted"  # a name or phrase in quotation marks or backticks; `text` is without them
    PATH = "path"  # the path of a URL: /loans/{id}
    POSSESSIVE = "possessive"  # 's
    BULLET = "bullet"  # a list mark at the beginning of a line
    BREAK = "break"  # an empty line, or the end of a line that ends a phrase
    PUNCTUATION = "punctuation"


@dataclass(frozen=True)
class Token:
    """One token: its form, its text, and the half-open interval of code points that it covers."""

    kind: Kind
    text: str
    start: int
    end: int

    @cached_property
    def low(self) -> str:
        """The text in lower case, with spellings made one (e-mail, email)."""
        return morphology.normalised(self.text)

    @cached_property
    def singular(self) -> str:
        """The word read as a noun, in the singular."""
        return morphology.singular(self.low)

    @cached_property
    def verb(self) -> str | None:
        """The base form if the word can be a form of a known verb."""
        return morphology.verb_base(self.low) if self.kind is Kind.WORD else None

    @cached_property
    def value(self) -> int | float | None:
        """The number that the token stands for, in digits or as a word."""
        if self.kind in {Kind.NUMBER, Kind.MONEY, Kind.PERCENT}:
            digits = re.sub(r"[^0-9.]", "", self.text)
            return float(digits) if "." in digits else int(digits)
        return morphology.number_word(self.low) if self.kind is Kind.WORD else None

    @property
    def is_word(self) -> bool:
        """Whether the token is a word or a quoted name."""
        return self.kind in {Kind.WORD, Kind.QUOTED}


_NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})(?:\.[0-9]{1,9})?(?![0-9])"
_TOKEN = re.compile(
    rf"""
      (?P<bullet>^[ \t]*(?:[-*\u2022\u2023\u2013—]|\(?\d{{1,2}}[.)]|\#{{1,6}})(?=[ \t]+\S))
    | (?P<break>\n[ \t\r]*(?:\n[ \t\r]*)*)
    | (?P<space>[^\S\n]+)
    | (?P<path>(?<![\w/])/[A-Za-z][\w{{}}/:<>-]*|(?<![\w/])/(?=[\s,;]))
    | (?P<money>[$€£]\s?{_NUMBER})
    | (?P<percent>{_NUMBER}\s?%)
    | (?P<number>(?<!\w)(?<!(?<!\.)\.){_NUMBER}(?![^\W\d_]))
    | (?P<quoted>"[^"\n]{{1,80}}"|“[^”\n]{{1,80}}”|`[^`\n]{{1,80}}`|(?<![\w'])'[^'\n]{{1,40}}'(?!\w))
    | (?P<possessive>(?<=\w)['\u2019]s\b|(?<=s)['\u2019](?=\s))
    | (?P<word>(?:e\.g\.|i\.e\.|etc\.(?=[ ,)]*[a-z,)])|vs\.|(?:no|max|min|approx)\.(?=[ ]*[(\d])
        |[^\W_][\w]*(?:['\u2019](?:t|re|ve|ll|d|m)\b)?(?:-[^\W_][\w]*(?:['\u2019]t\b)?)*))
    | (?P<punctuation>.)
    """,
    re.VERBOSE | re.MULTILINE,
)
_KINDS = {kind.value: kind for kind in Kind}


def tokenise(text: str) -> list[Token]:
    """Cut `text` into tokens; white space is left out, but line ends are kept as breaks."""
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        form = match.lastgroup or ""
        if form == "space":
            continue
        inner = match.group()
        if form == "quoted":
            inner = inner[1:-1].strip()
            if not inner:
                form, inner = "punctuation", match.group()
        if form == "possessive" and tokens and tokens[-1].low in _SHORTENED_BEHIND:
            form, inner = "word", "is"
        if form == "possessive" and tokens and tokens[-1].low == "let":
            form, inner = "word", "us"
        short = next((ending for ending in _SHORTENED if form == "word" and inner.lower().endswith(ending)), None)
        if short is not None:
            middle = match.end() - len(short)
            tokens.append(Token(Kind.WORD, inner[: -len(short)], match.start(), middle))
            tokens.append(Token(Kind.WORD, _SHORTENED[short], middle, match.end()))
            continue
        tokens.append(Token(_KINDS[form], _BRACKETS.get(inner, inner), match.start(), match.end()))
    return tokens


_BRACKETS = {"{": "(", "}": ")"}  # as in "a status in {open, closed}"
_SHORTENED = {"'ve": "have", "\u2019ve": "have", "'re": "are", "\u2019re": "are"}


# Behind these, "'s" is no possessive but short for "is": "a name that's unique".
_SHORTENED_BEHIND = frozenset({"that", "it", "there", "who", "which", "what", "he", "she", "here"})
