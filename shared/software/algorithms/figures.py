"""Algorithms that tell one figure of many numbers, or a list of them."""

from __future__ import annotations

from typing import Final

from shared.software.algorithms.contract import Algorithm
from shared.software.algorithms.entries import NUMBERS, example, of_numbers, parameter, refused
from shared.software.specification import FieldType, Parameter

ALGORITHMS: Final = (
    of_numbers("mean", "Compute the mean of numbers", example(2.5, numbers=(1, 2, 3, 4))),
    of_numbers(
        "median", "Compute the median of numbers", example(2.5, numbers=(4, 1, 2, 3)), example(2.0, numbers=(3, 1, 2))
    ),
    of_numbers("mode", "Find the most frequent number, the first of several", example(2.0, numbers=(1, 2, 2, 3))),
    of_numbers("variance", "Compute the population variance of numbers", example(1.25, numbers=(1, 2, 3, 4))),
    of_numbers(
        "standard_deviation",
        "Compute the population standard deviation of numbers",
        example(2.0, numbers=(2, 4, 4, 4, 5, 5, 7, 9)),
    ),
    of_numbers("minimum", "Find the smallest number", example(1.0, numbers=(3, 1, 2))),
    of_numbers("maximum", "Find the largest number", example(3.0, numbers=(3, 1, 2))),
    of_numbers(
        "value_range",
        "Compute the difference between the largest and the smallest number",
        example(2.0, numbers=(3, 1, 2)),
    ),
    Algorithm(
        "total",
        "Add numbers",
        (NUMBERS,),
        FieldType.NUMBER,
        None,
        (example(6.0, numbers=(1, 2, 3)), example(0.0, numbers=())),
    ),
    Algorithm(
        "product",
        "Multiply numbers",
        (NUMBERS,),
        FieldType.NUMBER,
        None,
        (example(24.0, numbers=(2, 3, 4)), example(1.0, numbers=())),
    ),
    Algorithm(
        "count_numbers",
        "Count numbers",
        (NUMBERS,),
        FieldType.INTEGER,
        None,
        (example(3, numbers=(1, 2, 3)), example(0, numbers=())),
    ),
    Algorithm(
        "sort_numbers",
        "Sort numbers, smallest first",
        (NUMBERS,),
        FieldType.LIST,
        FieldType.NUMBER,
        (example((1.0, 2.0, 3.0), numbers=(3, 1, 2)),),
    ),
    Algorithm(
        "percentile",
        "Find the value below which a percentage of numbers lies, interpolated linearly",
        (NUMBERS, Parameter(name="percent", type=FieldType.NUMBER, minimum=0, maximum=100)),
        FieldType.NUMBER,
        None,
        (
            example(2.5, numbers=(1, 2, 3, 4), percent=50),
            refused(numbers=(), percent=50),
            refused(numbers=(1,), percent=101),
        ),
    ),
    Algorithm(
        "moving_average",
        "List the means of every window of neighbouring numbers",
        (NUMBERS, parameter("window", FieldType.INTEGER, 1)),
        FieldType.LIST,
        FieldType.NUMBER,
        (example((1.5, 2.5), numbers=(1, 2, 3), window=2), refused(numbers=(1,), window=2)),
    ),
    Algorithm(
        "sample_variance",
        "Compute the sample variance of at least two numbers",
        (NUMBERS,),
        FieldType.NUMBER,
        None,
        (example(2.5, numbers=(1, 2, 3, 4, 5)), refused(numbers=(1,))),
    ),
    Algorithm(
        "sample_standard_deviation",
        "Compute the sample standard deviation of at least two numbers",
        (NUMBERS,),
        FieldType.NUMBER,
        None,
        (example(2.0, numbers=(1, 3, 5)), refused(numbers=(1,))),
    ),
)
