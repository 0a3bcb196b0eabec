"""Reads within what a field is unique: "unique per year", "that nobody else has"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, quantities
from functions.neuron.reading.draft import DraftField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token


_CHECKED: Final = frozenset({"email", "mail", "url", "website", "link"})


def _checked_anyway(tokens: Sequence[Token], at: int, target: DraftField) -> bool:
    """Whether "and valid" stands here behind a field whose values are always checked: an email address, a URL."""
    said = [t.low for t in tokens[at : at + 2]] == ["and", "valid"]
    return said and bool(_CHECKED & set(target.name.split("_")))


def uniqueness(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read that a field is unique, and within what; gives where that ends."""
    alone = exclusive(tokens, i)
    if alone is not None:
        target.unique = True
        return alone
    doubles = quantities.phrase(tokens, i, "no duplicates")
    if tokens[i].low not in {"unique", "distinct", "uniquely", "unique-per"} and doubles is None:
        return None
    end = doubles or i + 1
    if _checked_anyway(tokens, end, target):
        end += 2
    for words in (
        "within the same",
        "within a",
        "within an",
        "within the",
        "within each",
        "within its",
        "within their",
        "within",
        "per",
        "for each",
        "for every",
        "for a",
        "inside a",
        "inside an",
        "inside each",
        "inside its",
        "inside the",
        "among the",
        "in the same",
        "in the",
        "in a",
        "in an",
        "in each",
        "in its",
        "by",
        "on its",
        "on the",
        "on a",
        "on each",
        "across the",
        "for the same",
        "amongst",
    ):
        after = quantities.phrase(tokens, end, words)
        if after is not None and after < len(tokens) and tokens[after].is_word and tokens[after].low not in _WHOLE:
            target.unique_per, target.unique = (tokens[after].singular,), False
            end = after + 1
            if (
                end + 1 < len(tokens)
                and tokens[end].low == "and"
                and tokens[end + 1].is_word
                and tokens[end + 1].low not in lexicon.DETERMINERS
                and words in {"per", "within"}
                and len(tokens) == end + 2
            ):
                target.unique_per = (*target.unique_per, tokens[end + 1].singular)
                end += 2
            return end
    for words in ("across all", "in the system", "across the system", "among all", "in all", "across"):
        if (after := quantities.phrase(tokens, end, words)) is not None:
            end = after + (after < len(tokens) and tokens[after].is_word)
    target.unique = True
    return end


_WHOLE: Final = lexicon.words("all system application whole entire database api service world")


def exclusive(tokens: Sequence[Token], i: int) -> int | None:
    """Read "which nobody else may have", "that no other member has", "no two donors share one", "never repeats"."""
    j = i + (tokens[i].low in {"which", "that"})
    nobody = quantities.any_phrase(tokens, j, _NOBODY)
    if quantities.phrase(tokens, j, "no two") is not None:
        return _no_two(tokens, j + 2)
    if (single := _by_one(tokens, j)) is not None:
        return single
    once = j + (j < len(tokens) and tokens[j].low in {"must", "may", "can", "does", "do"})
    repeated = quantities.any_phrase(tokens, once, _ONCE)
    if repeated is not None:
        return _by_several(tokens, repeated)
    if nobody is None and quantities.phrase(tokens, j, "no other") is not None and j + 2 < len(tokens):
        nobody = j + 3 if tokens[j + 2].is_word else None
    if nobody is None:
        return None
    end = nobody
    while end < len(tokens) and (
        tokens[end].low in lexicon.MODALS | lexicon.HAVE or tokens[end].verb in {"have", "use", "share"}
    ):
        end += 1
    return end if end > nobody else None


def _by_several(tokens: Sequence[Token], at: int) -> int:
    """Pass over "by two patients" behind "never shared"; gives where that ends."""
    led = at + 2 < len(tokens) and tokens[at].low in {"by", "between", "among"}
    return (
        at + 3
        if led and tokens[at + 1].low in {"two", "several", "any", "different"} and tokens[at + 2].is_word
        else at
    )


def _by_one(tokens: Sequence[Token], at: int) -> int | None:
    """Read "may be used by one citizen only", "held by only one member"; gives where that ends."""
    while at < len(tokens) and tokens[at].low in lexicon.MODALS | lexicon.BE:
        at += 1
    led = at + 3 < len(tokens) and tokens[at].verb in {"use", "hold", "own", "have"} and tokens[at + 1].low == "by"
    one = at + 2 + (led and tokens[at + 2].low == "only")
    if not led or one + 1 >= len(tokens) or tokens[one].low not in {"one", "a"} or not tokens[one + 1].is_word:
        return None
    trailing = one + 2 < len(tokens) and tokens[one + 2].low == "only"
    return one + 2 + trailing if trailing or tokens[at + 2].low == "only" else None


_ONCE: Final = (
    "not repeat", "must-not repeat", "cannot repeat", "never repeat", "never repeats", "do-not repeat",
    "not be repeated", "must-not be repeated", "cannot be repeated", "not be used twice", "must-not be used twice",
    "cannot be used twice", "not occur twice", "must-not occur twice", "cannot occur twice", "not be shared",
    "must-not be shared", "cannot be shared", "be used only once", "only be used once", "be given only once",
    "never shared", "never be shared", "not shared", "never used twice", "never reused", "never be reused",
)  # fmt: skip


def _no_two(tokens: Sequence[Token], at: int) -> int | None:
    """Read "which no two members share" and "that no two members may have in common" from the members on."""
    end = at + 1
    while end < len(tokens) and (tokens[end].low in lexicon.MODALS or tokens[end].verb in {"have", "share", "use"}):
        end += 1
    if end <= at + 1:
        return None
    return quantities.any_phrase(tokens, end, _COMMON) or end


_COMMON: Final = ("in common", "the same one", "the same", "one", "it")


_NOBODY: Final = ("nobody else", "no one else", "noone else", "no-one else", "none else")
