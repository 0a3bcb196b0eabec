"""Algorithms that write whole numbers in other notations and read them."""

from __future__ import annotations

from typing import Final

from shared.software.algorithms.contract import Algorithm
from shared.software.algorithms.entries import NATURAL, example, parameter, refused
from shared.software.specification import FieldType, Parameter

ALGORITHMS: Final = (
    Algorithm(
        "to_roman",
        "Write a number from 1 to 3999 as a Roman numeral",
        (Parameter(name="number", type=FieldType.INTEGER, minimum=1, maximum=3999),),
        FieldType.STRING,
        None,
        (example("MCMXCIV", number=1994), example("IV", number=4), refused(number=0), refused(number=4000)),
    ),
    Algorithm(
        "from_roman",
        "Read a Roman numeral in its proper form",
        (parameter("numeral", FieldType.STRING),),
        FieldType.INTEGER,
        None,
        (example(1994, numeral="MCMXCIV"), example(4, numeral="iv"), refused(numeral="IIII"), refused(numeral="")),
    ),
    Algorithm(
        "number_to_words",
        "Write a number below a million in English words",
        (Parameter(name="number", type=FieldType.INTEGER, minimum=0, maximum=999_999),),
        FieldType.STRING,
        None,
        (
            example("one hundred and five", number=105),
            example("twenty-one thousand and one", number=21_001),
            example("zero", number=0),
        ),
    ),
    Algorithm(
        "to_binary",
        "Write a number in binary",
        (NATURAL,),
        FieldType.STRING,
        None,
        (example("1010", number=10), refused(number=-1)),
    ),
    Algorithm(
        "from_binary",
        "Read a binary number",
        (parameter("digits", FieldType.STRING),),
        FieldType.INTEGER,
        None,
        (example(10, digits="1010"), refused(digits="12")),
    ),
    Algorithm(
        "to_hexadecimal",
        "Write a number in hexadecimal",
        (NATURAL,),
        FieldType.STRING,
        None,
        (example("ff", number=255), refused(number=-1)),
    ),
    Algorithm(
        "from_hexadecimal",
        "Read a hexadecimal number",
        (parameter("digits", FieldType.STRING),),
        FieldType.INTEGER,
        None,
        (example(255, digits="FF"), refused(digits="xyz")),
    ),
    Algorithm(
        "to_octal",
        "Write a number in octal",
        (NATURAL,),
        FieldType.STRING,
        None,
        (example("17", number=15), refused(number=-1)),
    ),
    Algorithm(
        "from_octal",
        "Read an octal number",
        (parameter("digits", FieldType.STRING),),
        FieldType.INTEGER,
        None,
        (example(15, digits="17"), refused(digits="8")),
    ),
)
