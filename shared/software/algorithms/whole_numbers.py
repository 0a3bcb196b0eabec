"""Algorithms of whole numbers: divisors, primes, sequences, digits, combinations."""

from __future__ import annotations

from typing import Final

from shared.software.algorithms.contract import Algorithm
from shared.software.algorithms.entries import NATURAL, WHOLE, example, parameter, refused
from shared.software.specification import FieldType, Parameter


def _natural(name: str) -> Parameter:
    return Parameter(name=name, type=FieldType.INTEGER, minimum=0, maximum=1000)


ALGORITHMS: Final = (
    Algorithm(
        "is_prime",
        "Tell whether a number is prime",
        (WHOLE,),
        FieldType.BOOLEAN,
        None,
        (example(True, number=97), example(False, number=1), example(False, number=91)),
    ),
    Algorithm(
        "prime_factors",
        "List the prime factors of a number, smallest first",
        (Parameter(name="number", type=FieldType.INTEGER, minimum=1, maximum=10**12),),
        FieldType.LIST,
        FieldType.INTEGER,
        (example((2, 2, 3), number=12), example((), number=1), refused(number=0)),
    ),
    Algorithm(
        "primes_up_to",
        "List the primes up to a limit",
        (Parameter(name="limit", type=FieldType.INTEGER, minimum=0, maximum=10**6),),
        FieldType.LIST,
        FieldType.INTEGER,
        (example((2, 3, 5, 7), limit=10), example((), limit=1)),
    ),
    Algorithm(
        "divisors",
        "List the divisors of a number, smallest first",
        (Parameter(name="number", type=FieldType.INTEGER, minimum=1, maximum=10**12),),
        FieldType.LIST,
        FieldType.INTEGER,
        (example((1, 2, 3, 6), number=6), refused(number=0)),
    ),
    Algorithm(
        "factorial",
        "Compute the factorial of a number",
        (Parameter(name="number", type=FieldType.INTEGER, minimum=0, maximum=1000),),
        FieldType.INTEGER,
        None,
        (example(120, number=5), example(1, number=0), refused(number=-1)),
    ),
    Algorithm(
        "fibonacci",
        "Compute the Fibonacci number of an index; the one of 0 is 0",
        (Parameter(name="index", type=FieldType.INTEGER, minimum=0, maximum=10_000),),
        FieldType.INTEGER,
        None,
        (example(55, index=10), example(0, index=0), refused(index=-1)),
    ),
    Algorithm(
        "fibonacci_sequence",
        "List the first Fibonacci numbers",
        (Parameter(name="count", type=FieldType.INTEGER, minimum=0, maximum=1000),),
        FieldType.LIST,
        FieldType.INTEGER,
        (example((0, 1, 1, 2, 3), count=5), refused(count=-1)),
    ),
    Algorithm(
        "greatest_common_divisor",
        "Compute the greatest common divisor of two numbers",
        (parameter("first", FieldType.INTEGER), parameter("second", FieldType.INTEGER)),
        FieldType.INTEGER,
        None,
        (example(6, first=12, second=18),),
    ),
    Algorithm(
        "least_common_multiple",
        "Compute the least common multiple of two numbers",
        (parameter("first", FieldType.INTEGER), parameter("second", FieldType.INTEGER)),
        FieldType.INTEGER,
        None,
        (example(36, first=12, second=18),),
    ),
    Algorithm(
        "digit_sum",
        "Add the digits of a number",
        (NATURAL,),
        FieldType.INTEGER,
        None,
        (example(6, number=123), refused(number=-1)),
    ),
    Algorithm(
        "is_perfect_number",
        "Tell whether a number is the sum of its proper divisors",
        (Parameter(name="number", type=FieldType.INTEGER, minimum=1, maximum=10**12),),
        FieldType.BOOLEAN,
        None,
        (example(True, number=28), example(False, number=27)),
    ),
    Algorithm(
        "is_armstrong_number",
        "Tell whether a number is the sum of its digits, each to the power of their count",
        (NATURAL,),
        FieldType.BOOLEAN,
        None,
        (example(True, number=153), example(False, number=154)),
    ),
    Algorithm(
        "collatz_steps",
        "Count the steps of the Collatz sequence from a number to 1",
        (Parameter(name="number", type=FieldType.INTEGER, minimum=1, maximum=10**9),),
        FieldType.INTEGER,
        None,
        (example(8, number=6), example(0, number=1), refused(number=0)),
    ),
    Algorithm(
        "count_combinations",
        "Count the ways to choose some of several things without order (binomial coefficient)",
        (_natural("of"), _natural("chosen")),
        FieldType.INTEGER,
        None,
        (example(10, of=5, chosen=2), example(0, of=2, chosen=3), refused(of=-1, chosen=0)),
    ),
    Algorithm(
        "count_permutations",
        "Count the ways to put some of several things in order",
        (_natural("of"), _natural("chosen")),
        FieldType.INTEGER,
        None,
        (example(20, of=5, chosen=2), example(0, of=2, chosen=3), refused(of=-1, chosen=0)),
    ),
)
