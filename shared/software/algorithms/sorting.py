"""Algorithms that search lists of numbers and sort them."""

from __future__ import annotations

from typing import Final

from shared.software.algorithms.contract import Algorithm
from shared.software.algorithms.entries import NUMBERS, example, parameter, refused
from shared.software.specification import FieldType

ALGORITHMS: Final = (
    Algorithm(
        "binary_search",
        "Give the place of a number in a sorted list, counted from 0; -1 when it is not there",
        (NUMBERS, parameter("wanted", FieldType.NUMBER)),
        FieldType.INTEGER,
        None,
        (
            example(2, numbers=(1, 3, 5, 7), wanted=5),
            example(-1, numbers=(1, 3, 5, 7), wanted=4),
            example(-1, numbers=(), wanted=4),
            refused(numbers=(3, 1), wanted=1),
        ),
    ),
    Algorithm(
        "linear_search",
        "Give the first place of a number in a list, counted from 0; -1 when it is not there",
        (NUMBERS, parameter("wanted", FieldType.NUMBER)),
        FieldType.INTEGER,
        None,
        (example(1, numbers=(3, 1, 1), wanted=1), example(-1, numbers=(), wanted=4)),
    ),
    *(
        Algorithm(
            f"{kind}_sort",
            f"Sort numbers, smallest first ({kind} sort)",
            (NUMBERS,),
            FieldType.LIST,
            FieldType.NUMBER,
            (example((1.0, 2.0, 2.0, 3.0), numbers=(3, 2, 1, 2)), example((), numbers=())),
        )
        for kind in ("merge", "quick", "bubble", "insertion", "selection")
    ),
)
