"""Cuts a request into its sentences, with the headings and the lines that introduce a list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import frames, lexicon, morphology, quantities
from functions.neuron.reading.tokens import Kind, Token

if TYPE_CHECKING:
    from collections.abc import Sequence
_ENDS: Final = frozenset(".!?;")
_HEADINGS: Final = lexicon.words(
    "rule rules constraint constraints requirement requirements feature features entity entities note notes "
    "command commands endpoint endpoints model models resource resources field fields data details validation "
    "behaviour behavior functionality operations specification spec logic following functions domain results "
    "statistics reports"
)


def without_heading(sentence: list[Token]) -> tuple[list[Token], tuple[Token, ...]]:
    """Take a heading off the front of a sentence: "Commands: add an item, …"."""
    colon = next((i for i, t in enumerate(sentence[:4]) if t.text == ":"), None)
    if colon is None or colon + 1 >= len(sentence) or not is_heading(sentence[:colon]):
        return sentence, ()
    return sentence[colon + 1 :], tuple(sentence[:colon])


def is_heading(sentence: Sequence[Token]) -> bool:
    """Whether a sentence is nothing but a heading: "Business rules"."""
    words = [token for token in sentence if token.is_word]
    return len(words) <= 4 and bool(words) and words[-1].low in _HEADINGS and sentence[-1].is_word


@dataclass
class _Sentences:
    """The sentences as they are found, with the line that introduces the list that they stand in."""

    found: list[tuple[list[Token], tuple[Token, ...]]]
    header: tuple[Token, ...] = ()
    bulleted: bool = False

    def end(self, sentence: list[Token], *, listed: bool = False) -> None:
        """Take a sentence that is complete; `listed`: the lines of a list follow it."""
        stripped = trimmed(sentence)
        if listed and _names_things(stripped):
            self.found.append((stripped, ()))
            self.header = tuple(stripped)
            return
        if stripped:
            self.found.append((stripped, self.header if self.bulleted else ()))
        if stripped and sentence[-1].text == ":":
            self.header = tuple(stripped)
        elif sentence and not self.bulleted:
            self.header = ()

    def line(self, token: Token) -> None:
        """Take note of a mark of a list, or of a line's end."""
        if token.kind is Kind.BULLET:
            self.bulleted = not token.text.strip().startswith("#")
            self.header = self.header if self.bulleted else ()
        elif token.kind is Kind.BREAK:
            self.bulleted = False


def cut(tokens: Sequence[Token]) -> list[tuple[list[Token], tuple[Token, ...]]]:
    """Give the sentences of a request, each with the line that introduces the list that it stands in."""
    sentences = _Sentences([])
    current: list[Token] = []
    depth = 0
    for i, token in enumerate(tokens):
        depth = max(0, depth + (token.text in {"(", "["}) - (token.text in {")", "]"}))
        hard = token.kind is Kind.BULLET or (token.kind is Kind.BREAK and _is_hard(tokens, i))
        if token.text == ";" and depth == 0 and _lists_on(current, tokens, i + 1):
            current.append(replace(token, text=","))
        elif hard or (token.text in _ENDS and depth == 0 and _ends_sentence(tokens, i)):
            depth = 0
            sentences.end(current, listed=_list_follows(tokens, i))
            current = []
            sentences.line(token)
        elif token.kind is not Kind.BREAK:
            current.append(token)
    sentences.end(current)
    return sentences.found


def _lists_on(before: Sequence[Token], tokens: Sequence[Token], at: int) -> bool:
    """Whether what stands behind a semicolon goes on with what a thing has: "hives have a number; a location; …"."""
    verb = frames.finite_verb(before, 0)
    if verb is None or frames.verb_group(before, verb).verb not in {"have", "contain", "include", "carry", "hold"}:
        return False
    end = next((i for i in range(at, len(tokens)) if tokens[i].text in _ENDS), len(tokens))
    said = [token for token in tokens[at:end] if token.kind is not Kind.BREAK]
    start = 1 if said and said[0].low == "and" else 0
    listed = start < len(said) and (
        said[start].low in {"a", "an"} or quantities.phrase(said, start, "by default") is not None
    )
    return bool(listed) and frames.finite_verb(said, start) is None


def _list_follows(tokens: Sequence[Token], at: int) -> bool:
    """Whether the line that ends at a position stands right above a list."""
    while at < len(tokens) and tokens[at].kind is Kind.BREAK:
        at += 1
    return at < len(tokens) and tokens[at].kind is Kind.BULLET and not tokens[at].text.strip().startswith("#")


def _names_things(line: Sequence[Token]) -> bool:
    """Whether a line is nothing but a noun in the plural: the name of what the list below it describes."""
    words = [token for token in line if token.is_word]
    plain = 0 < len(words) == len(line) <= _LONGEST_NAME and morphology.is_plural(words[-1].low)
    return plain and words[-1].low not in _HEADINGS


_LONGEST_NAME: Final = 3


def trimmed(sentence: list[Token]) -> list[Token]:
    """Take punctuation and conjunctions off the ends of a sentence; nothing when there are no words."""
    start, end = 0, len(sentence)
    while start < end and sentence[start].kind is Kind.PUNCTUATION and sentence[start].text not in {"(", "["}:
        start += 1
    while end > start and sentence[end - 1].kind is Kind.PUNCTUATION and sentence[end - 1].text not in {")", "]"}:
        end -= 1
    while start < end and sentence[start].low in {"and", "but", "or"}:
        start += 1
    return sentence[start:end] if any(token.kind is not Kind.PUNCTUATION for token in sentence[start:end]) else []


def _ends_sentence(tokens: Sequence[Token], i: int) -> bool:
    if tokens[i].text != "." or i + 1 >= len(tokens):
        return True
    return tokens[i + 1].start > tokens[i].end


def _is_hard(tokens: Sequence[Token], i: int) -> bool:
    """Whether a line end ends a sentence: an empty line, a list behind it, or a next line that begins anew."""
    if tokens[i].text.count("\n") > 1 or i == 0 or i + 1 >= len(tokens):
        return True
    before, following = tokens[i - 1], tokens[i + 1]
    if following.kind is Kind.BULLET or before.text in {":", *_ENDS} or _begins_label(tokens, i + 1):
        return True
    if (
        before.text == ","
        or before.low
        in lexicon.CONJUNCTIONS
        | lexicon.DETERMINERS
        | lexicon.PREPOSITIONS
        | lexicon.BE
        | lexicon.HAVE
        | lexicon.MODALS
    ):
        return False
    return following.text[:1].isupper() and (following.text[1:2].islower() or following.kind is Kind.PATH)


def _begins_label(tokens: Sequence[Token], at: int) -> bool:
    """Whether a line begins with a name and a colon: "lanes: number, distance"."""
    colon = next((i for i in range(at + 1, min(at + 5, len(tokens))) if tokens[i].text == ":"), None)
    return colon is not None and all(token.is_word for token in tokens[at:colon])
