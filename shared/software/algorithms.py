"""The catalogue of algorithms that a computation may name: what each takes, gives and refuses, and known results.

An implementer writes each of them in its language; `examples` become tests, in the catalogue's own suite and in every
project that uses the algorithm. Adding one here obliges every available implementer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.software.specification import Example, FieldType, Parameter, Scalar

Arguments = dict[str, Scalar | tuple[Scalar, ...]]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An algorithm's contract.

    Attributes:
        name: What `Computation.algorithm` says.
        summary: One line, in the imperative.
        parameters: In order.
        returns: The type of the result.
        items: The type of its items when it is a list.
        examples: Known results and refusals.
    """

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    returns: FieldType
    items: FieldType | None = None
    examples: tuple[Example, ...] = ()


_TEXT: Final = Parameter(name="text", type=FieldType.TEXT)
_NUMBERS: Final = Parameter(name="numbers", type=FieldType.LIST, items=FieldType.NUMBER)
_NUMBER: Final = Parameter(name="number", type=FieldType.INTEGER)
_NATURAL: Final = Parameter(name="number", type=FieldType.INTEGER, minimum=0)


def _example(result: Scalar | tuple[Scalar, ...], **arguments: Scalar | tuple[Scalar, ...]) -> Example:
    return Example(arguments=arguments, result=result)


def _refused(**arguments: Scalar | tuple[Scalar, ...]) -> Example:
    return Example(arguments=arguments, refused=True)


def _of_text(
    name: str, summary: str, returns: FieldType, *examples: Example, items: FieldType | None = None
) -> Algorithm:
    return Algorithm(name, summary, (_TEXT,), returns, items, examples)


def _of_numbers(name: str, summary: str, *examples: Example, returns: FieldType = FieldType.NUMBER) -> Algorithm:
    return Algorithm(name, summary, (_NUMBERS,), returns, None, (*examples, _refused(numbers=())))


def _parameter(name: str, kind: FieldType, minimum: int | None = None, default: Scalar = None) -> Parameter:
    return Parameter(name=name, type=kind, minimum=minimum, default=default, required=default is None)


def _natural(name: str) -> Parameter:
    return Parameter(name=name, type=FieldType.INTEGER, minimum=0, maximum=1000)


_INTEGER, _BOOLEAN, _STRING, _DECIMAL = FieldType.INTEGER, FieldType.BOOLEAN, FieldType.STRING, FieldType.NUMBER
_LONG, _LIST, _DATE = FieldType.TEXT, FieldType.LIST, FieldType.DATE
_PAIR: Final = (_parameter("first", _STRING), _parameter("second", _STRING))
_SPAN: Final = (_parameter("start", _DATE), _parameter("end", _DATE))
_SHIFT: Final = (_TEXT, _parameter("shift", _INTEGER))
_STRONG: Final = "Abcdefg1"
_WEAK: Final = "abc1"
_PASSWORD: Final = (
    _parameter("password", _STRING),
    _parameter("min_length", _INTEGER, 1, 8),
    _parameter("needs_upper", _BOOLEAN, None, True),
    _parameter("needs_lower", _BOOLEAN, None, True),
    _parameter("needs_digit", _BOOLEAN, None, True),
    _parameter("needs_symbol", _BOOLEAN, None, False),
)

_ALL: Final = (
    # counting in texts
    _of_text(
        "count_words", "Count the words of a text", _INTEGER, _example(3, text="one two  three\n"), _example(0, text="")
    ),
    _of_text("count_lines", "Count the lines of a text", _INTEGER, _example(2, text="a\nb\n"), _example(0, text="")),
    _of_text(
        "count_characters", "Count the characters of a text", _INTEGER, _example(5, text="a b\nc"), _example(0, text="")
    ),
    _of_text("count_letters", "Count the letters of a text", _INTEGER, _example(3, text="a b\nc1")),
    _of_text(
        "count_sentences",
        "Count the sentences of a text",
        _INTEGER,
        _example(2, text="One. Two!"),
        _example(0, text=""),
    ),
    _of_text(
        "count_paragraphs",
        "Count the paragraphs of a text, which empty lines part",
        _INTEGER,
        _example(2, text="a\nb\n\n\nc\n"),
    ),
    _of_text("count_vowels", "Count the vowels of a text", _INTEGER, _example(5, text="Education")),
    _of_text("count_consonants", "Count the consonants of a text", _INTEGER, _example(3, text="Hello")),
    _of_text(
        "count_unique_words",
        "Count the different words of a text, without regard to case",
        _INTEGER,
        _example(2, text="a b A"),
    ),
    Algorithm(
        "count_occurrences",
        "Count how often a part occurs in a text, without overlap",
        (_TEXT, _parameter("part", _STRING)),
        _INTEGER,
        None,
        (_example(2, text="banana", part="an"), _refused(text="a", part="")),
    ),
    Algorithm(
        "word_frequencies",
        "List the words of a text with their counts, the most frequent first",
        (_TEXT, _parameter("limit", _INTEGER, 1, 10)),
        _LIST,
        _STRING,
        (_example(("a 2", "b 1"), text="b a A", limit=10),),
    ),
    Algorithm(
        "character_frequencies",
        "List the characters of a text with their counts, the most frequent first",
        (_TEXT,),
        _LIST,
        _STRING,
        (_example(("a 2", "b 1"), text="aba"),),
    ),
    _of_text(
        "longest_word",
        "Find the longest word of a text, the first of several",
        _STRING,
        _example("three", text="one three seven"),
        _example("", text=""),
    ),
    _of_text(
        "average_word_length",
        "Compute the average length of the words of a text",
        _DECIMAL,
        _example(2.0, text="a bbb"),
        _example(0.0, text=""),
    ),
    # changing texts
    _of_text("reverse_text", "Reverse a text", _LONG, _example("cba", text="abc")),
    _of_text("reverse_words", "Put the words of a text in reverse order", _LONG, _example("c b a", text="a b c")),
    _of_text("uppercase", "Write a text in upper case", _LONG, _example("ABC", text="aBc")),
    _of_text("lowercase", "Write a text in lower case", _LONG, _example("abc", text="aBC")),
    _of_text("title_case", "Capitalise every word of a text", _LONG, _example("One Two's", text="one tWO's")),
    _of_text("capitalize", "Capitalise the first letter of a text", _LONG, _example("Abc def", text="abc def")),
    _of_text("swap_case", "Exchange upper and lower case", _LONG, _example("aBC", text="Abc")),
    _of_text(
        "snake_case",
        "Write words in snake_case",
        _STRING,
        _example("user_name", text="userName"),
        _example("user_name", text="User name"),
    ),
    _of_text("camel_case", "Write words in camelCase", _STRING, _example("userName", text="user_name")),
    _of_text("pascal_case", "Write words in PascalCase", _STRING, _example("UserName", text="user name")),
    _of_text("kebab_case", "Write words in kebab-case", _STRING, _example("user-name", text="userName")),
    _of_text(
        "slugify",
        "Make a text fit for an address: lower-case ASCII letters, digits and single hyphens",
        _STRING,
        _example("hello-world", text="Héllo, World!"),
    ),
    _of_text(
        "normalize_whitespace",
        "Trim a text and make every run of white space one space",
        _LONG,
        _example("a b", text="  a \n b "),
    ),
    _of_text("remove_punctuation", "Remove ASCII punctuation from a text", _LONG, _example("ab c", text="a,b. c!")),
    _of_text("remove_vowels", "Remove the vowels of a text", _LONG, _example("Hll", text="Hello")),
    _of_text("remove_duplicate_lines", "Remove lines that occurred before", _LONG, _example("a\nb", text="a\nb\na")),
    _of_text(
        "remove_blank_lines",
        "Remove the lines that hold nothing but white space",
        _LONG,
        _example("a\nb", text="a\n\n \nb"),
    ),
    _of_text("sort_lines", "Sort the lines of a text", _LONG, _example("a\nb", text="b\na")),
    _of_text("number_lines", "Number the lines of a text", _LONG, _example("1: a\n2: b", text="a\nb")),
    _of_text("reverse_lines", "Put the lines of a text in reverse order", _LONG, _example("b\na", text="a\nb")),
    Algorithm(
        "truncate_text",
        "Cut a text to a length, ending in … when something was cut",
        (_TEXT, _parameter("length", _INTEGER, 1)),
        _LONG,
        None,
        (_example("ab…", text="abcdef", length=3), _example("abc", text="abc", length=3)),
    ),
    Algorithm(
        "wrap_text",
        "Break lines so that none is longer than a width",
        (_TEXT, _parameter("width", _INTEGER, 1, 80)),
        _LONG,
        None,
        (_example("aa\nbb", text="aa bb", width=3),),
    ),
    Algorithm(
        "replace_text",
        "Replace every occurrence of a part of a text",
        (_TEXT, _parameter("part", _STRING), _parameter("replacement", _STRING)),
        _LONG,
        None,
        (_example("bb", text="aa", part="a", replacement="b"), _refused(text="a", part="", replacement="b")),
    ),
    # codes
    Algorithm(
        "caesar_encrypt",
        "Shift every letter forward in the alphabet",
        _SHIFT,
        _LONG,
        None,
        (_example("Dbc!", text="Ayz!", shift=3),),
    ),
    Algorithm(
        "caesar_decrypt",
        "Shift every letter back in the alphabet",
        _SHIFT,
        _LONG,
        None,
        (_example("Ayz!", text="Dbc!", shift=3),),
    ),
    _of_text("rot13", "Shift every letter by 13 places", _LONG, _example("Uryyb", text="Hello")),
    _of_text(
        "to_morse",
        "Write a text in Morse code; words are parted by /",
        _STRING,
        _example("... --- ... / .-", text="SOS a"),
        _refused(text="ä"),
    ),
    _of_text(
        "from_morse", "Read Morse code", _STRING, _example("SOS A", text="... --- ... / .-"), _refused(text="........")
    ),
    _of_text(
        "run_length_encode",
        "Write every run of a character as its length and the character",
        _STRING,
        _example("3a1b", text="aaab"),
        _example("", text=""),
    ),
    _of_text(
        "run_length_decode",
        "Expand lengths and characters",
        _STRING,
        _example("aaab", text="3a1b"),
        _refused(text="a3"),
    ),
    _of_text("base64_encode", "Encode a text (UTF-8) in Base64 (RFC 4648)", _STRING, _example("aGk=", text="hi")),
    _of_text(
        "base64_decode",
        "Decode Base64 (RFC 4648) to a text (UTF-8)",
        _LONG,
        _example("hi", text="aGk="),
        _refused(text="a"),
    ),
    # tests of texts
    _of_text(
        "is_palindrome",
        "Tell whether letters and digits read the same backwards, without regard to case",
        _BOOLEAN,
        _example(True, text="A man, a plan, a canal: Panama"),
        _example(False, text="ab"),
    ),
    Algorithm(
        "are_anagrams",
        "Tell whether two texts have the same letters, without regard to case and order",
        _PAIR,
        _BOOLEAN,
        None,
        (_example(True, first="Listen", second="Silent"), _example(False, first="a", second="b")),
    ),
    _of_text(
        "is_valid_email",
        "Tell whether a text has the form of an email address",
        _BOOLEAN,
        _example(True, text="a@example.org"),
        _example(False, text="a@"),
    ),
    _of_text(
        "is_valid_url",
        "Tell whether a text has the form of an http or https address",
        _BOOLEAN,
        _example(True, text="https://example.org/a"),
        _example(False, text="example"),
    ),
    _of_text(
        "is_valid_isbn",
        "Tell whether a text is an ISBN-10 or ISBN-13 whose check digit is right",
        _BOOLEAN,
        _example(True, text="978-0-306-40615-7"),
        _example(True, text="0306406152"),
        _example(False, text="9780306406158"),
    ),
    _of_text(
        "is_valid_card_number",
        "Tell whether digits pass the Luhn check (ISO/IEC 7812-1)",
        _BOOLEAN,
        _example(True, text="4539 1488 0343 6467"),
        _example(False, text="4539148803436468"),
    ),
    _of_text(
        "is_valid_iban",
        "Tell whether a text is an IBAN whose check digits are right (ISO 13616)",
        _BOOLEAN,
        _example(True, text="GB82 WEST 1234 5698 7654 32"),
        _example(False, text="GB82WEST12345698765433"),
    ),
    _of_text(
        "is_valid_ipv4",
        "Tell whether a text is an IPv4 address in dotted decimal",
        _BOOLEAN,
        _example(True, text="192.0.2.1"),
        _example(False, text="256.1.1.1"),
    ),
    Algorithm(
        "password_faults",
        "List what a password lacks",
        _PASSWORD,
        _LIST,
        _STRING,
        (
            _example((), password=_STRONG),
            _example(("at least 8 characters", "an upper-case letter"), password=_WEAK),
        ),
    ),
    Algorithm(
        "is_strong_password",
        "Tell whether a password lacks nothing",
        _PASSWORD,
        _BOOLEAN,
        None,
        (_example(True, password=_STRONG), _example(False, password=_WEAK)),
    ),
    Algorithm(
        "edit_distance",
        "Count the insertions, deletions and substitutions between two texts (Levenshtein)",
        _PAIR,
        _INTEGER,
        None,
        (_example(3, first="kitten", second="sitting"),),
    ),
    Algorithm(
        "hamming_distance",
        "Count the places in which two texts of equal length differ",
        _PAIR,
        _INTEGER,
        None,
        (_example(1, first="abc", second="abd"), _refused(first="a", second="ab")),
    ),
    # notations of numbers
    Algorithm(
        "to_roman",
        "Write a number from 1 to 3999 as a Roman numeral",
        (Parameter(name="number", type=_INTEGER, minimum=1, maximum=3999),),
        _STRING,
        None,
        (_example("MCMXCIV", number=1994), _example("IV", number=4), _refused(number=0), _refused(number=4000)),
    ),
    Algorithm(
        "from_roman",
        "Read a Roman numeral in its proper form",
        (_parameter("numeral", _STRING),),
        _INTEGER,
        None,
        (_example(1994, numeral="MCMXCIV"), _example(4, numeral="iv"), _refused(numeral="IIII"), _refused(numeral="")),
    ),
    Algorithm(
        "number_to_words",
        "Write a number below a million in English words",
        (Parameter(name="number", type=_INTEGER, minimum=0, maximum=999_999),),
        _STRING,
        None,
        (
            _example("one hundred and five", number=105),
            _example("twenty-one thousand and one", number=21_001),
            _example("zero", number=0),
        ),
    ),
    Algorithm(
        "to_binary",
        "Write a number in binary",
        (_NATURAL,),
        _STRING,
        None,
        (_example("1010", number=10), _refused(number=-1)),
    ),
    Algorithm(
        "from_binary",
        "Read a binary number",
        (_parameter("digits", _STRING),),
        _INTEGER,
        None,
        (_example(10, digits="1010"), _refused(digits="12")),
    ),
    Algorithm(
        "to_hexadecimal",
        "Write a number in hexadecimal",
        (_NATURAL,),
        _STRING,
        None,
        (_example("ff", number=255), _refused(number=-1)),
    ),
    Algorithm(
        "from_hexadecimal",
        "Read a hexadecimal number",
        (_parameter("digits", _STRING),),
        _INTEGER,
        None,
        (_example(255, digits="FF"), _refused(digits="xyz")),
    ),
    Algorithm(
        "to_octal",
        "Write a number in octal",
        (_NATURAL,),
        _STRING,
        None,
        (_example("17", number=15), _refused(number=-1)),
    ),
    Algorithm(
        "from_octal",
        "Read an octal number",
        (_parameter("digits", _STRING),),
        _INTEGER,
        None,
        (_example(15, digits="17"), _refused(digits="8")),
    ),
    # whole numbers
    Algorithm(
        "is_prime",
        "Tell whether a number is prime",
        (_NUMBER,),
        _BOOLEAN,
        None,
        (_example(True, number=97), _example(False, number=1), _example(False, number=91)),
    ),
    Algorithm(
        "prime_factors",
        "List the prime factors of a number, smallest first",
        (Parameter(name="number", type=_INTEGER, minimum=1, maximum=10**12),),
        _LIST,
        _INTEGER,
        (_example((2, 2, 3), number=12), _example((), number=1), _refused(number=0)),
    ),
    Algorithm(
        "primes_up_to",
        "List the primes up to a limit",
        (Parameter(name="limit", type=_INTEGER, minimum=0, maximum=10**6),),
        _LIST,
        _INTEGER,
        (_example((2, 3, 5, 7), limit=10), _example((), limit=1)),
    ),
    Algorithm(
        "divisors",
        "List the divisors of a number, smallest first",
        (Parameter(name="number", type=_INTEGER, minimum=1, maximum=10**12),),
        _LIST,
        _INTEGER,
        (_example((1, 2, 3, 6), number=6), _refused(number=0)),
    ),
    Algorithm(
        "factorial",
        "Compute the factorial of a number",
        (Parameter(name="number", type=_INTEGER, minimum=0, maximum=1000),),
        _INTEGER,
        None,
        (_example(120, number=5), _example(1, number=0), _refused(number=-1)),
    ),
    Algorithm(
        "fibonacci",
        "Compute the Fibonacci number of an index; the one of 0 is 0",
        (Parameter(name="index", type=_INTEGER, minimum=0, maximum=10_000),),
        _INTEGER,
        None,
        (_example(55, index=10), _example(0, index=0), _refused(index=-1)),
    ),
    Algorithm(
        "fibonacci_sequence",
        "List the first Fibonacci numbers",
        (Parameter(name="count", type=_INTEGER, minimum=0, maximum=1000),),
        _LIST,
        _INTEGER,
        (_example((0, 1, 1, 2, 3), count=5), _refused(count=-1)),
    ),
    Algorithm(
        "greatest_common_divisor",
        "Compute the greatest common divisor of two numbers",
        (_parameter("first", _INTEGER), _parameter("second", _INTEGER)),
        _INTEGER,
        None,
        (_example(6, first=12, second=18),),
    ),
    Algorithm(
        "least_common_multiple",
        "Compute the least common multiple of two numbers",
        (_parameter("first", _INTEGER), _parameter("second", _INTEGER)),
        _INTEGER,
        None,
        (_example(36, first=12, second=18),),
    ),
    Algorithm(
        "digit_sum",
        "Add the digits of a number",
        (_NATURAL,),
        _INTEGER,
        None,
        (_example(6, number=123), _refused(number=-1)),
    ),
    Algorithm(
        "is_perfect_number",
        "Tell whether a number is the sum of its proper divisors",
        (Parameter(name="number", type=_INTEGER, minimum=1, maximum=10**12),),
        _BOOLEAN,
        None,
        (_example(True, number=28), _example(False, number=27)),
    ),
    Algorithm(
        "is_armstrong_number",
        "Tell whether a number is the sum of its digits, each to the power of their count",
        (_NATURAL,),
        _BOOLEAN,
        None,
        (_example(True, number=153), _example(False, number=154)),
    ),
    Algorithm(
        "collatz_steps",
        "Count the steps of the Collatz sequence from a number to 1",
        (Parameter(name="number", type=_INTEGER, minimum=1, maximum=10**9),),
        _INTEGER,
        None,
        (_example(8, number=6), _example(0, number=1), _refused(number=0)),
    ),
    # lists of numbers
    _of_numbers("mean", "Compute the mean of numbers", _example(2.5, numbers=(1, 2, 3, 4))),
    _of_numbers(
        "median", "Compute the median of numbers", _example(2.5, numbers=(4, 1, 2, 3)), _example(2.0, numbers=(3, 1, 2))
    ),
    _of_numbers("mode", "Find the most frequent number, the first of several", _example(2.0, numbers=(1, 2, 2, 3))),
    _of_numbers("variance", "Compute the population variance of numbers", _example(1.25, numbers=(1, 2, 3, 4))),
    _of_numbers(
        "standard_deviation",
        "Compute the population standard deviation of numbers",
        _example(2.0, numbers=(2, 4, 4, 4, 5, 5, 7, 9)),
    ),
    _of_numbers("minimum", "Find the smallest number", _example(1.0, numbers=(3, 1, 2))),
    _of_numbers("maximum", "Find the largest number", _example(3.0, numbers=(3, 1, 2))),
    _of_numbers(
        "value_range",
        "Compute the difference between the largest and the smallest number",
        _example(2.0, numbers=(3, 1, 2)),
    ),
    Algorithm(
        "total",
        "Add numbers",
        (_NUMBERS,),
        _DECIMAL,
        None,
        (_example(6.0, numbers=(1, 2, 3)), _example(0.0, numbers=())),
    ),
    Algorithm(
        "product",
        "Multiply numbers",
        (_NUMBERS,),
        _DECIMAL,
        None,
        (_example(24.0, numbers=(2, 3, 4)), _example(1.0, numbers=())),
    ),
    Algorithm(
        "count_numbers",
        "Count numbers",
        (_NUMBERS,),
        _INTEGER,
        None,
        (_example(3, numbers=(1, 2, 3)), _example(0, numbers=())),
    ),
    Algorithm(
        "sort_numbers",
        "Sort numbers, smallest first",
        (_NUMBERS,),
        _LIST,
        _DECIMAL,
        (_example((1.0, 2.0, 3.0), numbers=(3, 1, 2)),),
    ),
    Algorithm(
        "percentile",
        "Find the value below which a percentage of numbers lies, interpolated linearly",
        (_NUMBERS, Parameter(name="percent", type=_DECIMAL, minimum=0, maximum=100)),
        _DECIMAL,
        None,
        (
            _example(2.5, numbers=(1, 2, 3, 4), percent=50),
            _refused(numbers=(), percent=50),
            _refused(numbers=(1,), percent=101),
        ),
    ),
    Algorithm(
        "moving_average",
        "List the means of every window of neighbouring numbers",
        (_NUMBERS, _parameter("window", _INTEGER, 1)),
        _LIST,
        _DECIMAL,
        (_example((1.5, 2.5), numbers=(1, 2, 3), window=2), _refused(numbers=(1,), window=2)),
    ),
    # dates
    Algorithm(
        "days_between",
        "Count the days from one date to another",
        _SPAN,
        _INTEGER,
        None,
        (_example(31, start="2024-01-01", end="2024-02-01"), _example(-1, start="2024-01-02", end="2024-01-01")),
    ),
    Algorithm(
        "weekdays_between",
        "Count the days from Monday to Friday in a span, its first day included, its last not",
        _SPAN,
        _INTEGER,
        None,
        (_example(5, start="2024-01-01", end="2024-01-08"), _refused(start="2024-01-02", end="2024-01-01")),
    ),
    Algorithm(
        "add_days",
        "Give the date a number of days later",
        (_parameter("date", _DATE), _parameter("days", _INTEGER)),
        _DATE,
        None,
        (_example("2024-03-01", date="2024-02-28", days=2),),
    ),
    Algorithm(
        "day_of_week",
        "Name the day of the week of a date",
        (_parameter("date", _DATE),),
        _STRING,
        None,
        (_example("Thursday", date="2024-02-29"),),
    ),
    Algorithm(
        "day_of_year",
        "Give the number of a date's day in its year",
        (_parameter("date", _DATE),),
        _INTEGER,
        None,
        (_example(60, date="2024-02-29"),),
    ),
    Algorithm(
        "week_number",
        "Give the number of a date's week (ISO 8601)",
        (_parameter("date", _DATE),),
        _INTEGER,
        None,
        (_example(9, date="2024-02-29"),),
    ),
    Algorithm(
        "is_leap_year",
        "Tell whether a year of the Gregorian calendar is a leap year",
        (Parameter(name="year", type=_INTEGER, minimum=1, maximum=9999),),
        _BOOLEAN,
        None,
        (_example(True, year=2024), _example(False, year=1900), _example(True, year=2000)),
    ),
    Algorithm(
        "age_in_years",
        "Give the age in whole years on a day",
        (_parameter("birth_date", _DATE), _parameter("on", _DATE)),
        _INTEGER,
        None,
        (_example(23, birth_date="2000-03-01", on="2024-02-29"), _refused(birth_date="2024-01-02", on="2024-01-01")),
    ),
    Algorithm(
        "format_duration",
        "Write seconds as hours, minutes and seconds (H:MM:SS)",
        (_parameter("seconds", _INTEGER, 0),),
        _STRING,
        None,
        (_example("1:01:05", seconds=3665), _refused(seconds=-1)),
    ),
    # searching and sorting
    Algorithm(
        "binary_search",
        "Give the place of a number in a sorted list, counted from 0; -1 when it is not there",
        (_NUMBERS, _parameter("wanted", _DECIMAL)),
        _INTEGER,
        None,
        (
            _example(2, numbers=(1, 3, 5, 7), wanted=5),
            _example(-1, numbers=(1, 3, 5, 7), wanted=4),
            _example(-1, numbers=(), wanted=4),
            _refused(numbers=(3, 1), wanted=1),
        ),
    ),
    Algorithm(
        "linear_search",
        "Give the first place of a number in a list, counted from 0; -1 when it is not there",
        (_NUMBERS, _parameter("wanted", _DECIMAL)),
        _INTEGER,
        None,
        (_example(1, numbers=(3, 1, 1), wanted=1), _example(-1, numbers=(), wanted=4)),
    ),
    *(
        Algorithm(
            f"{kind}_sort",
            f"Sort numbers, smallest first ({kind} sort)",
            (_NUMBERS,),
            _LIST,
            _DECIMAL,
            (_example((1.0, 2.0, 2.0, 3.0), numbers=(3, 2, 1, 2)), _example((), numbers=())),
        )
        for kind in ("merge", "quick", "bubble", "insertion", "selection")
    ),
    # rounding
    *(
        Algorithm(
            name,
            summary,
            (_parameter("number", _DECIMAL), Parameter(name="decimals", type=_INTEGER, minimum=0, maximum=15)),
            _DECIMAL,
            None,
            (*examples, _refused(number=1.0, decimals=-1)),
        )
        for name, summary, examples in (
            (
                "round_half_even",
                "Round a number as written to a number of decimals, halves to the even neighbour (bankers' rounding)",
                (_example(2.0, number=2.5, decimals=0), _example(1.12, number=1.125, decimals=2)),
            ),
            (
                "round_half_up",
                "Round a number as written to a number of decimals, halves away from zero",
                (_example(3.0, number=2.5, decimals=0), _example(1.02, number=1.015, decimals=2)),
            ),
            (
                "round_up",
                "Round a number as written up to a number of decimals",
                (_example(1.02, number=1.011, decimals=2), _example(-1.0, number=-1.9, decimals=0)),
            ),
            (
                "round_down",
                "Round a number as written down to a number of decimals",
                (_example(1.01, number=1.019, decimals=2), _example(-2.0, number=-1.1, decimals=0)),
            ),
        )
    ),
    # further statistics
    Algorithm(
        "sample_variance",
        "Compute the sample variance of at least two numbers",
        (_NUMBERS,),
        _DECIMAL,
        None,
        (_example(2.5, numbers=(1, 2, 3, 4, 5)), _refused(numbers=(1,))),
    ),
    Algorithm(
        "sample_standard_deviation",
        "Compute the sample standard deviation of at least two numbers",
        (_NUMBERS,),
        _DECIMAL,
        None,
        (_example(2.0, numbers=(1, 3, 5)), _refused(numbers=(1,))),
    ),
    # combinatorics
    Algorithm(
        "count_combinations",
        "Count the ways to choose some of several things without order (binomial coefficient)",
        (_natural("of"), _natural("chosen")),
        _INTEGER,
        None,
        (_example(10, of=5, chosen=2), _example(0, of=2, chosen=3), _refused(of=-1, chosen=0)),
    ),
    Algorithm(
        "count_permutations",
        "Count the ways to put some of several things in order",
        (_natural("of"), _natural("chosen")),
        _INTEGER,
        None,
        (_example(20, of=5, chosen=2), _example(0, of=2, chosen=3), _refused(of=-1, chosen=0)),
    ),
    # further dates
    Algorithm(
        "add_weekdays",
        "Give the date a number of days from Monday to Friday later",
        (_parameter("date", _DATE), Parameter(name="days", type=_INTEGER, minimum=0, maximum=100_000)),
        _DATE,
        None,
        (
            _example("2024-03-04", date="2024-03-01", days=1),
            _example("2024-03-11", date="2024-03-02", days=6),
            _refused(date="2024-03-01", days=-1),
        ),
    ),
    Algorithm(
        "is_weekend",
        "Tell whether a date is a Saturday or a Sunday",
        (_parameter("date", _DATE),),
        _BOOLEAN,
        None,
        (_example(True, date="2024-03-02"), _example(False, date="2024-03-01")),
    ),
    Algorithm(
        "days_in_month",
        "Give the number of days of a month",
        (
            Parameter(name="year", type=_INTEGER, minimum=1, maximum=9999),
            Parameter(name="month", type=_INTEGER, minimum=1, maximum=12),
        ),
        _INTEGER,
        None,
        (_example(29, year=2024, month=2), _refused(year=2024, month=13)),
    ),
)

CATALOGUE: Final[dict[str, Algorithm]] = {algorithm.name: algorithm for algorithm in _ALL}
"""Every algorithm, by name."""
