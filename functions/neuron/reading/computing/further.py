"""Tells what words say beyond the computation that they name: another kind of it, a group, something else besides.

"The exponential moving average" is no moving average, and "lines for each level" is not the number of lines. Promises:
gives only words that nothing in the catalogue speaks of, so that they are told to the customer as not done. Does not
understand them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import honesty, lexicon, morphology
from functions.neuron.reading.computing import computations

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence, Set

    from functions.neuron.reading.formulas import Known
    from functions.neuron.reading.tokens import Token
    from shared.software.algorithms import Algorithm
    from shared.software.specification import Computation

NOTHING: Final = "Nothing that HAL9 knows computes this."
_OF_SOFTWARE: Final = lexicon.words(
    "helper helpers utility utilities typed pure tested documented everything common basic simple standard statistics "
    "statistical math maths mathematical conversions conversion converter converters validation validator validators "
    "case manipulation processing integers integer floats float strings numbers lists sorted following text texts "
    "back vice versa searching sorting rounding structures algorithms algorithm calendar finance "
    "financial roman numeral numerals lib directions direction ways file files stdin input output script terminal "
    "given named tiny little fast hello hi dear"
)
_FILES: Final = frozenset({"file", "files"})
_WITHOUT_REGARD: Final = frozenset({"ignoring", "ignore", "insensitive", "case-insensitive", "regardless"})
_GROUPING: Final = frozenset({"each", "every", "per"})


def another(words: Sequence[Token], name: str, wanted: Collection[str], known: Set[str]) -> bool:
    """Whether words ask for another computation than the one that some of them name."""
    return modified(words, name, wanted, known) or otherwise(words, known)


def otherwise(words: Sequence[Token], known: Set[str]) -> bool:
    """Whether something is to be computed from what the computation does not take: "from its three sides"."""
    at = next((i for i, t in enumerate(words) if t.low == "from"), None)
    behind = words[at + 1 : at + 4] if at is not None else ()
    source = next((t for t in behind if t.is_word and t.value is None and not honesty.hollow(t)), None)
    return source is not None and _further(source, known)


def modified(words: Sequence[Token], name: str, wanted: Collection[str], known: Set[str]) -> bool:
    """Whether a word in front of what names an algorithm makes it another one: "exponential moving average"."""
    at = next((i for i, t in enumerate(words) if computations.lemmas(t) & set(wanted)), 0)
    return at > 0 and _further(words[at - 1], known) and not words[at - 1].low.endswith("ly") and name != words[at].low


def followed(words: Sequence[Token], wanted: Collection[str], known: Set[str]) -> bool:
    """Whether a noun right behind what names a statistic makes it another figure: "the total interest"."""
    at = next((i for i, t in enumerate(words[:-1]) if computations.lemmas(t) & set(wanted)), None)
    return at is not None and _further(words[at + 1], known)


def given(words: Sequence[Token]) -> int:
    """Give where "given a principal and a rate, compute …" ends to name what is given; 0 where nothing is."""
    if words[0].low != "given":
        return 0
    return next((t.start for t in words[1:] if t.verb in _COMPUTED), 0)


_COMPUTED: Final = frozenset(
    {"compute", "calculate", "return", "find", "determine", "give", "work", "print", "show", "output", "tell"}
)


def grouped(words: Sequence[Token], known: Set[str]) -> list[Token]:
    """Give "for each level" where the algorithm knows no such groups; nothing otherwise."""
    at = next((i for i, t in enumerate(words[:-1]) if t.low in _GROUPING and _further(words[i + 1], known)), None)
    if at is None:
        return []
    start = at - 1 if at and words[at - 1].low in {"for", "of", "in"} else at
    return list(words[start:])


def unfound(words: Sequence[Token], known: Set[str]) -> list[Token]:
    """Give the words of a part that ask for something else than what is known, when they are most of it."""
    lows = [t.low for t in words]
    start = next((i + 1 for i, low in enumerate(lows[:-1]) if low in lexicon.RELATIVES), 0)  # "a tool that …"
    of_files = {i for i, low in enumerate(lows[1:]) if low in _FILES and not 0 < i == start}  # "a log file"
    told = [t for i, t in enumerate(words) if i >= start and i not in of_files]
    told = [t for t in told if t.is_word and not honesty.hollow(t) and t.value is None]
    told = [t for t in told if t.verb not in computations.COMPUTING and t.low not in _OF_SOFTWARE]
    strange = [t for t in told if not honesty.lemmas([t]) & known]
    if 2 * len(strange) <= len(told):
        return []
    return list(words[start:]) if start and strange[0] is told[0] else strange  # "a tool that renames files"


def _further(token: Token, known: Set[str]) -> bool:
    """Whether a word tells of something that is not known."""
    return (
        token.is_word
        and token.value is None
        and not honesty.hollow(token)
        and token.verb not in computations.COMPUTING
        and token.low not in _OF_SOFTWARE | lexicon.DETERMINERS | lexicon.PREPOSITIONS
        and not honesty.lemmas([token]) & known
    )


def of_algorithm(entry: Algorithm, triggers: str) -> frozenset[str]:
    """Give the words that speak of an algorithm: its name, what it takes and does, what people call it."""
    return _words([entry.name, entry.summary, triggers, *(p.name for p in entry.parameters)])


def of_formula(known: Known) -> frozenset[str]:
    """Give the words that speak of a formula."""
    return _words([known.name, known.description, *known.words, *(name for name, _, _ in known.parameters)])


def spoken(computation: Computation, triggers: str) -> frozenset[str]:
    """Give the words that speak of a computation."""
    return _words([computation.name, computation.description, triggers, *(p.name for p in computation.parameters)])


def _words(texts: Sequence[str]) -> frozenset[str]:
    plain = " ".join(texts).lower().replace("_", " ").replace("|", " ")
    words = {word.strip("().,;") for word in plain.split()}
    blind = _WITHOUT_REGARD if {"regard", "case"} <= words else frozenset()
    return frozenset(words | {morphology.singular(word) for word in words} | blind)
