"""Algorithms that judge texts: their form, their check digits, what a password lacks, how far two are apart."""

from __future__ import annotations

from typing import Final

from shared.software.algorithms.contract import Algorithm
from shared.software.algorithms.entries import example, of_text, parameter, refused
from shared.software.specification import FieldType

_PAIR: Final = (parameter("first", FieldType.STRING), parameter("second", FieldType.STRING))
_STRONG: Final = "Abcdefg1"
_WEAK: Final = "abc1"
_PASSWORD: Final = (
    parameter("password", FieldType.STRING),
    parameter("min_length", FieldType.INTEGER, 1, 8),
    parameter("needs_upper", FieldType.BOOLEAN, None, True),
    parameter("needs_lower", FieldType.BOOLEAN, None, True),
    parameter("needs_digit", FieldType.BOOLEAN, None, True),
    parameter("needs_symbol", FieldType.BOOLEAN, None, False),
)

ALGORITHMS: Final = (
    of_text(
        "is_palindrome",
        "Tell whether letters and digits read the same backwards, without regard to case",
        FieldType.BOOLEAN,
        example(True, text="A man, a plan, a canal: Panama"),
        example(False, text="ab"),
    ),
    Algorithm(
        "are_anagrams",
        "Tell whether two texts have the same letters, without regard to case and order",
        _PAIR,
        FieldType.BOOLEAN,
        None,
        (example(True, first="Listen", second="Silent"), example(False, first="a", second="b")),
    ),
    of_text(
        "is_valid_email",
        "Tell whether a text has the form of an email address",
        FieldType.BOOLEAN,
        example(True, text="a@example.org"),
        example(False, text="a@"),
    ),
    of_text(
        "is_valid_url",
        "Tell whether a text has the form of an http or https address",
        FieldType.BOOLEAN,
        example(True, text="https://example.org/a"),
        example(False, text="example"),
    ),
    of_text(
        "is_valid_isbn",
        "Tell whether a text is an ISBN-10 or ISBN-13 whose check digit is right",
        FieldType.BOOLEAN,
        example(True, text="978-0-306-40615-7"),
        example(True, text="0306406152"),
        example(False, text="9780306406158"),
    ),
    of_text(
        "is_valid_card_number",
        "Tell whether digits pass the Luhn check (ISO/IEC 7812-1)",
        FieldType.BOOLEAN,
        example(True, text="4539 1488 0343 6467"),
        example(False, text="4539148803436468"),
    ),
    of_text(
        "is_valid_iban",
        "Tell whether a text is an IBAN whose check digits are right (ISO 13616)",
        FieldType.BOOLEAN,
        example(True, text="GB82 WEST 1234 5698 7654 32"),
        example(False, text="GB82WEST12345698765433"),
    ),
    of_text(
        "is_valid_ipv4",
        "Tell whether a text is an IPv4 address in dotted decimal",
        FieldType.BOOLEAN,
        example(True, text="192.0.2.1"),
        example(False, text="256.1.1.1"),
    ),
    Algorithm(
        "password_faults",
        "List what a password lacks",
        _PASSWORD,
        FieldType.LIST,
        FieldType.STRING,
        (
            example((), password=_STRONG),
            example(("at least 8 characters", "an upper-case letter"), password=_WEAK),
        ),
    ),
    Algorithm(
        "is_strong_password",
        "Tell whether a password lacks nothing",
        _PASSWORD,
        FieldType.BOOLEAN,
        None,
        (example(True, password=_STRONG), example(False, password=_WEAK)),
    ),
    Algorithm(
        "edit_distance",
        "Count the insertions, deletions and substitutions between two texts (Levenshtein)",
        _PAIR,
        FieldType.INTEGER,
        None,
        (example(3, first="kitten", second="sitting"),),
    ),
    Algorithm(
        "hamming_distance",
        "Count the places in which two texts of equal length differ",
        _PAIR,
        FieldType.INTEGER,
        None,
        (example(1, first="abc", second="abd"), refused(first="a", second="ab")),
    ),
)
