"""Algorithms that write whole numbers in other notations and read them."""

from __future__ import annotations

import itertools
import re


def to_roman(number: int) -> str:
    """Write a number from 1 to 3999 as a Roman numeral."""
    if not 1 <= number <= 3999:
        raise ValueError("The number must lie between 1 and 3999.")
    values = (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1)
    numerals = ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I")
    written = ""
    for value, numeral in zip(values, numerals, strict=True):
        count, number = divmod(number, value)
        written += numeral * count
    return written


def from_roman(numeral: str) -> int:
    """Read a Roman numeral in its proper form."""
    text = numeral.upper()
    if not text or not re.fullmatch(r"M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})", text):
        raise ValueError(f"{numeral!r} is no Roman numeral.")
    values = [{"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}[letter] for letter in text]
    return sum(-value if value < following else value for value, following in itertools.pairwise([*values, 0]))


def number_to_words(number: int) -> str:
    """Write a number below a million in English words."""
    if not 0 <= number < 1_000_000:
        raise ValueError("The number must lie between 0 and 999999.")
    ones = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ]
    tens = ["zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

    def below_thousand(value: int) -> str:
        hundreds, rest = divmod(value, 100)
        small = ones[rest] if rest < 20 else tens[rest // 10] + (f"-{ones[rest % 10]}" if rest % 10 else "")
        if not hundreds:
            return small
        return f"{ones[hundreds]} hundred" + (f" and {small}" if rest else "")

    thousands, rest = divmod(number, 1000)
    if not thousands:
        return below_thousand(rest)
    joint = " and " if 0 < rest < 100 else " "
    return f"{below_thousand(thousands)} thousand" + (f"{joint}{below_thousand(rest)}" if rest else "")


def to_binary(number: int) -> str:
    """Write a number in binary."""
    if number < 0:
        raise ValueError("The number must not be negative.")
    return f"{number:b}"


def from_binary(digits: str) -> int:
    """Read a binary number."""
    if not re.fullmatch(r"[01]{1,4000}", digits):
        raise ValueError(f"{digits!r} is no binary number.")
    return int(digits, 2)


def to_hexadecimal(number: int) -> str:
    """Write a number in hexadecimal."""
    if number < 0:
        raise ValueError("The number must not be negative.")
    return f"{number:x}"


def from_hexadecimal(digits: str) -> int:
    """Read a hexadecimal number."""
    if not re.fullmatch(r"(?:0[xX])?[0-9a-fA-F]{1,1000}", digits):
        raise ValueError(f"{digits!r} is no hexadecimal number.")
    return int(digits, 16)


def to_octal(number: int) -> str:
    """Write a number in octal."""
    if number < 0:
        raise ValueError("The number must not be negative.")
    return f"{number:o}"


def from_octal(digits: str) -> int:
    """Read an octal number."""
    if not re.fullmatch(r"[0-7]{1,1300}", digits):
        raise ValueError(f"{digits!r} is no octal number.")
    return int(digits, 8)
