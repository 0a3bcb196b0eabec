"""Reads what a strong password must hold, and what makes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, quantities
from functions.neuron.reading.computing import computations
from shared.software.algorithms import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.tokens import Token


_PASSWORD_WORDS: Final = lexicon.words(
    "check validate strength strong verify test rule valid must validator checker have contain need require"
)

VOCABULARY: Final = lexicon.words(
    "password passwords strength strong weak check validate verify test rule valid validator checker contain need "
    "require digit digits letter letters character characters char chars symbol symbols special punctuation upper "
    "lower uppercase lowercase upper-case lower-case capital capitals small number numbers numeral case mark marks "
    "long length secure security safe good policy one mixed"
)
"""What may be said of passwords truthfully."""


def password(words: Sequence[Token], draft: Draft) -> bool:
    """Read "checks that a password has at least 10 characters, a digit and an upper-case letter"."""
    bag = computations.lemmas_of(words)
    earlier = draft.computations.get("is_strong_password")
    making = {"generate", "generates", "generated"} & bag and not {"check", "validate", "verify", "test"} & bag
    checking = "password" in bag and bag & _PASSWORD_WORDS and not making
    if not checking and not (
        earlier is not None
        and {"it", "must", "contain", "require", "required", "need", "needed", "least"} & bag
        and {"digit", "letter", "character", "symbol", "uppercase", "lowercase"} & bag
    ):
        return False
    plain = earlier is not None and earlier.parameters == CATALOGUE["is_strong_password"].parameters
    earlier = None if plain else earlier
    defaults: dict[str, float | bool | str] = (
        {p.name: p.default for p in earlier.parameters if p.default is not None} if earlier else {}
    )
    for i in range(len(words)):
        read_bound = quantities.bound(words, i)
        if (
            read_bound is not None
            and read_bound[0].low is not None
            and read_bound[1] < len(words)
            and words[read_bound[1]].singular in {"character", "char", "long"}
        ):
            defaults["min_length"] = int(read_bound[0].whole().low or 8)
    named = {
        "needs_upper": {"upper", "uppercase", "upper-case", "capital"} & bag,
        "needs_lower": {"lower", "lowercase", "lower-case", "small"} & bag,
        "needs_digit": {"digit", "number", "numeral"} & bag,
        "needs_symbol": {"symbol", "special", "punctuation"} & bag,
    }
    if any(named.values()) or "min_length" in defaults:
        for parameter, stated in named.items():
            defaults[parameter] = bool(stated) or (bool(defaults.get(parameter)) if earlier else False)
    draft.computations.pop("is_strong_password", None)
    draft.computations.pop("password_faults", None)
    return computations.algorithm(draft, "is_strong_password", defaults) and computations.algorithm(
        draft, "password_faults", defaults
    )
