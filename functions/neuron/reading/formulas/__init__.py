"""Reads formulas in words: "weight divided by height squared", "15% of the bill".

"price times quantity minus discount".

A small expression grammar over tokens (sums of products of factors), and a catalogue of formulas and units that
people name without writing them down.
What it gives are expressions in the language of `Computation`: Python's arithmetic over the parameters.
"""

from functions.neuron.reading.formulas.grammar import Formula, read
from functions.neuron.reading.formulas.known import ARITHMETIC, ARITHMETIC_NOUNS, KNOWN, TAX_AMOUNT, Known
from functions.neuron.reading.formulas.units import ABSOLUTE_ZERO, UNIT_WORDS, conversion

__all__ = [
    "ABSOLUTE_ZERO", "ARITHMETIC", "ARITHMETIC_NOUNS", "KNOWN", "TAX_AMOUNT", "UNIT_WORDS", "Formula", "Known",
    "conversion", "read",
]  # fmt: skip
