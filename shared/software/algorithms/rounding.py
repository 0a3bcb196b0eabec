"""Algorithms that round numbers as they are written, not as binary fractions keep them."""

from __future__ import annotations

from typing import Final

from shared.software.algorithms.contract import Algorithm
from shared.software.algorithms.entries import example, parameter, refused
from shared.software.specification import FieldType, Parameter

ALGORITHMS: Final = (
    *(
        Algorithm(
            name,
            summary,
            (
                parameter("number", FieldType.NUMBER),
                Parameter(name="decimals", type=FieldType.INTEGER, minimum=0, maximum=15),
            ),
            FieldType.NUMBER,
            None,
            (*examples, refused(number=1.0, decimals=-1)),
        )
        for name, summary, examples in (
            (
                "round_half_even",
                "Round a number as written to a number of decimals, halves to the even neighbour (bankers' rounding)",
                (example(2.0, number=2.5, decimals=0), example(1.12, number=1.125, decimals=2)),
            ),
            (
                "round_half_up",
                "Round a number as written to a number of decimals, halves away from zero",
                (example(3.0, number=2.5, decimals=0), example(1.02, number=1.015, decimals=2)),
            ),
            (
                "round_up",
                "Round a number as written up to a number of decimals",
                (example(1.02, number=1.011, decimals=2), example(-1.0, number=-1.9, decimals=0)),
            ),
            (
                "round_down",
                "Round a number as written down to a number of decimals",
                (example(1.01, number=1.019, decimals=2), example(-2.0, number=-1.1, decimals=0)),
            ),
        )
    ),
)
