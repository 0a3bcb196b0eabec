"""Reads what a field is compared with or computed from: "before the end", "quantity times price"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, quantities
from functions.neuron.reading.draft import DraftField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token

_COMPARED: Final = lexicon.words(
    "earlier later before after higher lower greater less more below above under over smaller larger longer shorter"
)
_ALONE: Final = lexicon.words("before after exceed precede below above under over")  # compare without "than"


def compared(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "not earlier than the start date" and "which must not exceed the exam's maximum score"."""
    j = i
    passed = lexicon.BE | lexicon.MODALS | lexicon.NEGATIONS | {"which", "that", "on", "or", "no"}
    while j < len(tokens) and tokens[j].low in passed:
        j += 1
    if j >= len(tokens) or tokens[j].low not in _COMPARED | {"exceed", "precede"}:
        return None
    k = j + 1 + (j + 1 < len(tokens) and tokens[j + 1].low == "than")
    if k == j + 1 and tokens[j].low not in _ALONE:
        return None
    bare = k > j + 1 and k < len(tokens) and tokens[k].is_word and tokens[k].value is None  # "later than start time"
    named = k + 1 < len(tokens) and tokens[k].low in lexicon.ARTICLES
    alone = i == 0 and j == 0 and 0 < len(tokens) - k <= _FIELD_NAME  # "(after from date)": nothing else in brackets
    named = named or (alone and all(t.is_word and t.value is None for t in tokens[k:]))
    if not (bare or named) or quantities.bound(tokens, k) is not None:
        return None
    end = next(
        (
            n
            for n in range(k, len(tokens))
            if tokens[n].text in {",", ";", ")"} or (tokens[n].low == "and" and n > k + 1)
        ),
        len(tokens),
    )
    target.compared = tuple(tokens[i:end])
    return end


_FIELD_NAME: Final = 3  # words at most
_COMPUTING: Final = lexicon.words("times multiplied x \u00d7 * plus minus product")
_ORIGINS: Final = (
    "which is calculated as", "that is calculated as", "which is computed as", "calculated as", "computed as",
    "calculated from", "computed from", "which is the", "that is the", "which equals", "that equals", "equal to",
    "which is", "that is", "being the", "=", ":",
)  # fmt: skip


def formula(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "which is the quantity times the unit price" and "that is 30 days after the issue date"."""
    opened = quantities.any_phrase(tokens, i, _ORIGINS)
    bare = quantities.duration(tokens, i)
    start = opened if opened is not None else i
    if opened is None and (bare is None or bare[1] >= len(tokens) or tokens[bare[1]].low != "after"):
        return None
    end = next(
        (
            j
            for j in range(start, len(tokens))
            if tokens[j].text in {",", ";"}
            or (tokens[j].low == "and" and j + 1 < len(tokens) and tokens[j + 1].low in {"a", "an"})
        ),
        len(tokens),
    )
    said = tokens[start:end]
    length = quantities.duration(tokens, start)
    follows = length is not None and length[1] < end and tokens[length[1]].low in {"after", "from"}
    cut = {t.text for t in said} & {"/", "|"}  # "basic / plus / premium" lists values
    if not follows and (cut or not any(t.low in _COMPUTING for t in said)):
        return None
    target.formula = tuple(said)
    return end
