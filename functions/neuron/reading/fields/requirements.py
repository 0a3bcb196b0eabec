"""Reads whether a field must be given, and its type by name: "(optional)", "as text"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology, quantities
from functions.neuron.reading.draft import DraftField
from functions.neuron.reading.fields import vocabulary
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token

_REQUIREMENTS: Final[dict[str, tuple[str, object]]] = {
    "optional": ("required", False),
    "not required": ("required", False),
    "not mandatory": ("required", False),
    "nullable": ("required", False),
    "if any": ("required", False),
    "if they have one": ("required", False),
    "if they have any": ("required", False),
    "if it has one": ("required", False),
    "if it has any": ("required", False),
    "if there is one": ("required", False),
    "if there is any": ("required", False),
    "if given": ("required", False),
    "if available": ("required", False),
    ("if known"): ("required", False),
    "not be missing": ("required", True),
    "cannot be missing": ("required", True),
    "missing before": ("required", False),
    "missing": ("required", False),
    "absent": ("required", False),
    "may be empty": ("required", False),
    "can be empty": ("required", False),
    "may be blank": ("required", False),
    "can be blank": ("required", False),
    "may be missing": ("required", False),
    "can be missing": ("required", False),
    "may be unknown": ("required", False),
    "can be unknown": ("required", False),
    "unknown at first": ("required", False),
    ("left empty"): ("required", False),
    ("left out"): ("required", False),
    "omitted": ("required", False),
    "required": ("required", True),
    "mandatory": ("required", True),
    "not be empty": ("min_length", 1),
    "not be blank": ("min_length", 1),
    ("not empty"): ("min_length", 1),
    ("not blank"): ("min_length", 1),
    ("cannot be empty"): ("min_length", 1),
    ("cannot be blank"): ("min_length", 1),
    ("never empty"): ("min_length", 1),
    "non-empty": ("min_length", 1),
    ("must-not be empty"): ("min_length", 1),
    ("must-not be blank"): ("min_length", 1),
    "present": ("required", True),
    "obligatory": ("required", True),
    "cannot be changed": ("immutable", True),
    "not be changed": ("immutable", True),
    "never changes": ("immutable", True),
    "never changed": ("immutable", True),
    "never be changed": ("immutable", True),
    ("never change"): ("immutable", True),
    ("not change"): ("immutable", True),
    ("cannot change"): ("immutable", True),
    "immutable": ("immutable", True),
    "read-only": ("immutable", True),
    ("cannot be modified"): ("immutable", True),
    "fixed": ("immutable", True),
    ("cannot be edited"): ("immutable", True),
    ("cannot be updated"): ("immutable", True),
    ("not be modified"): ("immutable", True),
    ("not be edited"): ("immutable", True),
}


def for_a_while(tokens: Sequence[Token], i: int) -> int | None:
    """Read "which stays empty while the car is there", "empty until the patient goes home"; gives where that ends."""
    bare = tokens[i].low in {"empty", "blank", "unset", "missing"} and i + 1 < len(tokens)
    if bare and tokens[i + 1].low in {"while", "until", "till"}:
        return next((j for j in range(i + 1, len(tokens)) if tokens[j].text in {",", ";"}), len(tokens))
    if tokens[i].low not in {"which", "that"} or i + 2 >= len(tokens):
        return None
    if tokens[i + 1].verb not in {"stay", "remain"} and tokens[i + 1].low not in lexicon.BE:
        return None
    if tokens[i + 2].low not in {"empty", "blank", "unset", "missing"}:
        return None
    if i + 3 < len(tokens) and tokens[i + 3].low not in {"while", "until", "when", ",", "and"}:
        return None
    return next((j for j in range(i + 3, len(tokens)) if tokens[j].text in {",", ";"}), len(tokens))


def requirement(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read whether a field must be given, and may change; gives where that ends."""
    if (end := for_a_while(tokens, i) or _may_lack(tokens, i)) is not None:
        target.required = False
        return end
    if (end := quantities.phrase(tokens, i, "in any order")) is not None:
        return end
    if end := quantities.any_phrase(tokens, i, vocabulary.NOT_NOUGHT):
        target.nonzero = True
        return end
    if (end := _unchanged(tokens, i)) is not None:
        target.immutable = True
        return end
    for words, (name, value) in _REQUIREMENTS.items():
        end = quantities.phrase(tokens, i, words)
        if end is not None:
            setattr(target, name, value)
            if name == "immutable":
                for trailer in _LATER:
                    end = quantities.phrase(tokens, end, trailer) or end
            return end
    return None


def _may_lack(tokens: Sequence[Token], i: int) -> int | None:
    """Read "whose name may be unknown", "once played"; gives where that ends."""
    if tokens[i].low == "once" and i + 1 < len(tokens) and morphology.is_participle(tokens[i + 1].low):
        return i + 2
    if tokens[i].low != "whose":
        return None
    end = next((j for j in range(i + 2, min(i + 6, len(tokens))) if tokens[j].low in _LACKING), None)
    allowed = end is not None and {"may", "can", "might", "could"} & {t.low for t in tokens[i + 2 : end]}
    return end + 1 if end is not None and allowed else None


_LACKING: Final = lexicon.words("unknown missing absent empty unclear")


def _unchanged(tokens: Sequence[Token], i: int) -> int | None:
    """Read "that nobody may change once set"; gives where that ends."""
    at = i + (tokens[i].low in {"that", "which"})
    nobody = quantities.any_phrase(tokens, at, ("nobody", "no one", "no user"))
    if nobody is None:
        return None
    at = nobody + (nobody < len(tokens) and tokens[nobody].low in lexicon.MODALS)
    if at >= len(tokens) or tokens[at].verb not in {"change", "edit", "modify", "alter", "correct"}:
        return None
    return quantities.any_phrase(tokens, at + 1, _LATER) or at + 1


_LATER: Final = (
    "once set", "after creation", "once created", "afterwards", "later", "after it is created", "once it is set",
    "once it has been created", "after it has been created", "any more", "later on",
)  # fmt: skip


def named_type(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read a field's type by its name; gives where that ends."""
    if [t.low for t in tokens[i : i + 3]] in (["yes", "/", "no"], ["true", "/", "false"], ["yes", "or", "no"]):
        target.type = FieldType.BOOLEAN
        return i + 3
    j = i
    while j < len(tokens) and tokens[j].low in {"as", "a", "an", "is", ":", "valid", "in"}:
        j += 1
    if j < len(tokens) and tokens[j].low == "iso" and j > i:
        return j + 2
    if (
        j >= len(tokens)
        or tokens[j].low not in vocabulary.TYPES
        or (j == i and i > 0 and tokens[i - 1].is_word and tokens[i - 1].low not in vocabulary.FILLER)
    ):
        return None
    if j > i and tokens[j].low == "number" and j + 1 < len(tokens) and tokens[j + 1].low == "of":
        return None
    target.type = vocabulary.TYPES[tokens[j].low]
    if tokens[j].low in {"percentage", "percent"} and target.minimum is None:
        target.minimum, target.maximum = 0, 100
    numeric = tokens[j].low in {"whole", "decimal", "integer", "numeric"} and j + 1 < len(tokens)
    if numeric and tokens[j + 1].singular in {"number", "value"}:
        j += 1
    return j + 1
