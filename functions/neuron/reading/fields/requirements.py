"""Reads whether a field must be given, and its type by name: "(optional)", "as text"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, quantities
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
    "missing": ("required", False),
    "absent": ("required", False),
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


def _for_a_while(tokens: Sequence[Token], i: int) -> int | None:
    """Read "which stays empty while the car is there"; gives where that ends."""
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
    if (end := _for_a_while(tokens, i)) is not None:
        target.required = False
        return end
    if (end := quantities.phrase(tokens, i, "in any order")) is not None:
        return end
    for words, (name, value) in _REQUIREMENTS.items():
        end = quantities.phrase(tokens, i, words)
        if end is not None:
            setattr(target, name, value)
            if name == "immutable":
                for trailer in (
                    "once set",
                    "after creation",
                    "once created",
                    "afterwards",
                    "later",
                    "after it is created",
                    "once it is set",
                    "once it has been created",
                    "after it has been created",
                ):
                    end = quantities.phrase(tokens, end, trailer) or end
            return end
    return None


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
    if tokens[j].low == "whole" and j + 1 < len(tokens) and tokens[j + 1].singular == "number":
        j += 1
    return j + 1
