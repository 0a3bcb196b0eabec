"""The catalogue's algorithms (`shared.software.algorithms`) in Python: one function each, named as in the catalogue.

A project gets the source of those that it uses, each of which is whole in itself: it names only its arguments, builtins
and modules of the standard library (`modules_of` says which). Numbers are `float`, whole numbers `int`, dates
`datetime.date`, lists `list`. What an algorithm refuses raises ValueError with a sentence for people.
"""

from __future__ import annotations

import ast
import base64
import binascii
import calendar
import collections
import datetime
import decimal
import inspect
import itertools
import math
import re
import statistics
import string
import textwrap
import unicodedata
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_MODULES: Final = frozenset(
    [
        "base64",
        "binascii",
        "calendar",
        "collections",
        "datetime",
        "decimal",
        "itertools",
        "math",
        "re",
        "statistics",
        "string",
        "textwrap",
        "unicodedata",
    ]
)


def source_of(name: str) -> str:
    """Give the source of an algorithm's function."""
    return inspect.getsource(FUNCTIONS[name])


def modules_of(name: str) -> list[str]:
    """Name the modules of the standard library that an algorithm's source needs, sorted."""
    tree = ast.parse(source_of(name))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return sorted(used & _MODULES)


# counting in texts


def count_words(text: str) -> int:
    """Count the words of a text."""
    return len(text.split())


def count_lines(text: str) -> int:
    """Count the lines of a text."""
    return len(text.splitlines())


def count_characters(text: str) -> int:
    """Count the characters of a text."""
    return len(text)


def count_letters(text: str) -> int:
    """Count the letters of a text."""
    return sum(character.isalpha() for character in text)


def count_sentences(text: str) -> int:
    """Count the sentences of a text."""
    return sum(any(c.isalnum() for c in part) for part in re.split(r"[.!?]+", text))


def count_paragraphs(text: str) -> int:
    """Count the paragraphs of a text, which empty lines part."""
    return sum(bool(part.strip()) for part in re.split(r"\n\s*\n", text))


def count_vowels(text: str) -> int:
    """Count the vowels of a text."""
    return sum(character in "aeiou" for character in text.lower())


def count_consonants(text: str) -> int:
    """Count the consonants of a text."""
    return sum(character in "bcdfghjklmnpqrstvwxyz" for character in text.lower())


def count_unique_words(text: str) -> int:
    """Count the different words of a text, without regard to case."""
    return len(set(re.findall(r"[^\W_]+(?:['\u2019-][^\W_]+)*", text.lower())))


def count_occurrences(text: str, part: str) -> int:
    """Count how often a part occurs in a text, without overlap."""
    if not part:
        raise ValueError("The part must not be empty.")
    return text.count(part)


def word_frequencies(text: str, limit: int = 10) -> list[str]:
    """List the words of a text with their counts, the most frequent first."""
    words = re.findall(r"[^\W_]+(?:['\u2019-][^\W_]+)*", text.lower())
    counted = sorted(collections.Counter(words).items(), key=lambda pair: (-pair[1], pair[0]))
    return [f"{word} {count}" for word, count in counted[:limit]]


def character_frequencies(text: str) -> list[str]:
    """List the characters of a text with their counts, the most frequent first."""
    counted = sorted(collections.Counter(text).items(), key=lambda pair: (-pair[1], pair[0]))
    return [f"{character} {count}" for character, count in counted]


def longest_word(text: str) -> str:
    """Find the longest word of a text, the first of several."""
    return max(re.findall(r"[^\W_]+(?:['\u2019-][^\W_]+)*", text), key=len, default="")


def average_word_length(text: str) -> float:
    """Compute the average length of the words of a text."""
    words = re.findall(r"[^\W_]+(?:['\u2019-][^\W_]+)*", text)
    return sum(len(word) for word in words) / len(words) if words else 0.0


# changing texts


def reverse_text(text: str) -> str:
    """Reverse a text."""
    return text[::-1]


def reverse_words(text: str) -> str:
    """Put the words of a text in reverse order."""
    return " ".join(reversed(text.split()))


def uppercase(text: str) -> str:
    """Write a text in upper case."""
    return text.upper()


def lowercase(text: str) -> str:
    """Write a text in lower case."""
    return text.lower()


def title_case(text: str) -> str:
    """Capitalise every word of a text."""
    return re.sub(r"\S+", lambda word: word[0][:1].upper() + word[0][1:].lower(), text)


def capitalize(text: str) -> str:
    """Capitalise the first letter of a text."""
    return text[:1].upper() + text[1:]


def swap_case(text: str) -> str:
    """Exchange upper and lower case."""
    return text.swapcase()


def snake_case(text: str) -> str:
    """Write words in snake_case."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", text)
    return "_".join(word.lower() for word in words)


def camel_case(text: str) -> str:
    """Write words in camelCase."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", text)
    return "".join(word.lower() if i == 0 else word.capitalize() for i, word in enumerate(words))


def pascal_case(text: str) -> str:
    """Write words in PascalCase."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", text)
    return "".join(word.capitalize() for word in words)


def kebab_case(text: str) -> str:
    """Write words in kebab-case."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", text)
    return "-".join(word.lower() for word in words)


def slugify(text: str) -> str:
    """Make a text fit for an address: lower-case ASCII letters, digits and single hyphens."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", folded.lower()))


def normalize_whitespace(text: str) -> str:
    """Trim a text and make every run of white space one space."""
    return " ".join(text.split())


def remove_punctuation(text: str) -> str:
    """Remove ASCII punctuation from a text."""
    return text.translate(str.maketrans("", "", string.punctuation))


def remove_vowels(text: str) -> str:
    """Remove the vowels of a text."""
    return "".join(character for character in text if character.lower() not in "aeiou")


def remove_duplicate_lines(text: str) -> str:
    """Remove lines that occurred before."""
    return "\n".join(dict.fromkeys(text.splitlines()))


def remove_blank_lines(text: str) -> str:
    """Remove the lines that hold nothing but white space."""
    return "\n".join(line for line in text.splitlines() if line.strip())


def sort_lines(text: str) -> str:
    """Sort the lines of a text."""
    return "\n".join(sorted(text.splitlines()))


def number_lines(text: str) -> str:
    """Number the lines of a text."""
    return "\n".join(f"{number}: {line}" for number, line in enumerate(text.splitlines(), start=1))


def reverse_lines(text: str) -> str:
    """Put the lines of a text in reverse order."""
    return "\n".join(reversed(text.splitlines()))


def truncate_text(text: str, length: int) -> str:
    """Cut a text to a length, ending in … when something was cut."""
    if length < 1:
        raise ValueError("The length must be at least 1.")
    return text if len(text) <= length else text[: length - 1] + "…"


def wrap_text(text: str, width: int = 80) -> str:
    """Break lines so that none is longer than a width."""
    if width < 1:
        raise ValueError("The width must be at least 1.")
    return "\n".join(textwrap.fill(line, width) for line in text.splitlines())


def replace_text(text: str, part: str, replacement: str) -> str:
    """Replace every occurrence of a part of a text."""
    if not part:
        raise ValueError("The part must not be empty.")
    return text.replace(part, replacement)


# codes


def caesar_encrypt(text: str, shift: int) -> str:
    """Shift every letter forward in the alphabet."""
    lower, upper, by = string.ascii_lowercase, string.ascii_uppercase, shift % 26
    return text.translate(str.maketrans(lower + upper, lower[by:] + lower[:by] + upper[by:] + upper[:by]))


def caesar_decrypt(text: str, shift: int) -> str:
    """Shift every letter back in the alphabet."""
    lower, upper, by = string.ascii_lowercase, string.ascii_uppercase, -shift % 26
    return text.translate(str.maketrans(lower + upper, lower[by:] + lower[:by] + upper[by:] + upper[:by]))


def rot13(text: str) -> str:
    """Shift every letter by 13 places."""
    lower, upper = string.ascii_lowercase, string.ascii_uppercase
    return text.translate(str.maketrans(lower + upper, lower[13:] + lower[:13] + upper[13:] + upper[:13]))


def to_morse(text: str) -> str:
    """Write a text in Morse code; words are parted by /."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    codes = (
        ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.. "
        "----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----."
    )
    table = dict(zip(letters, codes.split(), strict=True))
    unknown = {character for character in text.upper() if not character.isspace() and character not in table}
    if unknown:
        raise ValueError(f"There is no Morse code for {' '.join(sorted(unknown))}.")
    return " / ".join(" ".join(table[character] for character in word) for word in text.upper().split())


def from_morse(text: str) -> str:
    """Read Morse code."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    codes = (
        ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.. "
        "----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----."
    )
    table = dict(zip(codes.split(), letters, strict=True))
    unknown = [code for code in text.replace("/", " ").split() if code not in table]
    if unknown:
        raise ValueError(f"{unknown[0]} is no Morse code.")
    return " ".join("".join(table[code] for code in word.split()) for word in text.split("/")).strip()


def run_length_encode(text: str) -> str:
    """Write every run of a character as its length and the character."""
    return "".join(f"{len(list(run))}{character}" for character, run in itertools.groupby(text))


def run_length_decode(text: str) -> str:
    """Expand lengths and characters."""
    if not re.fullmatch(r"(?:\d{1,6}\D)*", text):
        raise ValueError("Every character must stand behind its length.")
    return "".join(character * int(length) for length, character in re.findall(r"(\d+)(\D)", text))


def base64_encode(text: str) -> str:
    """Encode a text (UTF-8) in Base64 (RFC 4648)."""
    return base64.b64encode(text.encode()).decode()


def base64_decode(text: str) -> str:
    """Decode Base64 (RFC 4648) to a text (UTF-8)."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("This is no Base64 of a text.") from error


# tests of texts


def is_palindrome(text: str) -> bool:
    """Tell whether letters and digits read the same backwards, without regard to case."""
    plain = [character for character in text.lower() if character.isalnum()]
    return plain == plain[::-1]


def are_anagrams(first: str, second: str) -> bool:
    """Tell whether two texts have the same letters, without regard to case and order."""
    letters = [sorted(c for c in text.lower() if c.isalnum()) for text in (first, second)]
    return letters[0] == letters[1]


def is_valid_email(text: str) -> bool:
    """Tell whether a text has the form of an email address."""
    return re.fullmatch(r"[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,63}", text) is not None


def is_valid_url(text: str) -> bool:
    """Tell whether a text has the form of an http or https address."""
    return re.fullmatch(r"https?://[A-Za-z0-9.-]+(?::\d{1,5})?(?:[/?#]\S*)?", text) is not None


def is_valid_isbn(text: str) -> bool:
    """Tell whether a text is an ISBN-10 or ISBN-13 whose check digit is right."""
    digits = text.replace("-", "").replace(" ", "").upper()
    if re.fullmatch(r"[0-9]{9}[0-9X]", digits):
        return sum((10 - i) * (10 if d == "X" else int(d)) for i, d in enumerate(digits)) % 11 == 0
    if re.fullmatch(r"97[89][0-9]{10}", digits):
        return sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10 == 0
    return False


def is_valid_card_number(text: str) -> bool:
    """Tell whether digits pass the Luhn check (ISO/IEC 7812-1)."""
    digits = text.replace("-", "").replace(" ", "")
    if not re.fullmatch(r"[0-9]{2,30}", digits):
        return False
    doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def is_valid_iban(text: str) -> bool:
    """Tell whether a text is an IBAN whose check digits are right (ISO 13616)."""
    plain = text.replace(" ", "").upper()
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", plain):
        return False
    return int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1


def is_valid_ipv4(text: str) -> bool:
    """Tell whether a text is an IPv4 address in dotted decimal."""
    parts = text.split(".")
    return len(parts) == 4 and all(re.fullmatch(r"0|[1-9][0-9]{0,2}", part) and int(part) < 256 for part in parts)


def password_faults(
    password: str,
    min_length: int = 8,
    needs_upper: bool = True,
    needs_lower: bool = True,
    needs_digit: bool = True,
    needs_symbol: bool = False,
) -> list[str]:
    """List what a password lacks."""
    checks = [
        (True, len(password) >= min_length, f"at least {min_length} characters"),
        (needs_upper, any(c.isupper() for c in password), "an upper-case letter"),
        (needs_lower, any(c.islower() for c in password), "a lower-case letter"),
        (needs_digit, any(c.isdigit() for c in password), "a digit"),
        (needs_symbol, any(not c.isalnum() and not c.isspace() for c in password), "a symbol"),
    ]
    return [fault for needed, met, fault in checks if needed and not met]


def is_strong_password(
    password: str,
    min_length: int = 8,
    needs_upper: bool = True,
    needs_lower: bool = True,
    needs_digit: bool = True,
    needs_symbol: bool = False,
) -> bool:
    """Tell whether a password lacks nothing."""
    checks = [
        (True, len(password) >= min_length),
        (needs_upper, any(c.isupper() for c in password)),
        (needs_lower, any(c.islower() for c in password)),
        (needs_digit, any(c.isdigit() for c in password)),
        (needs_symbol, any(not c.isalnum() and not c.isspace() for c in password)),
    ]
    return all(met for needed, met in checks if needed)


def edit_distance(first: str, second: str) -> int:
    """Count the insertions, deletions and substitutions between two texts (Levenshtein)."""
    row = list(range(len(second) + 1))
    for i, left in enumerate(first, start=1):
        previous, row[0] = row[0], i
        for j, right in enumerate(second, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (left != right))
    return row[-1]


def hamming_distance(first: str, second: str) -> int:
    """Count the places in which two texts of equal length differ."""
    if len(first) != len(second):
        raise ValueError("The texts must have the same length.")
    return sum(left != right for left, right in zip(first, second, strict=True))


# notations of numbers


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


# whole numbers


def is_prime(number: int) -> bool:
    """Tell whether a number is prime."""
    if number < 2:
        return False
    return all(number % divisor for divisor in range(2, math.isqrt(number) + 1))


def prime_factors(number: int) -> list[int]:
    """List the prime factors of a number, smallest first."""
    if number < 1:
        raise ValueError("The number must be at least 1.")
    factors: list[int] = []
    divisor = 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
        divisor += 1
    return [*factors, number] if number > 1 else factors


def primes_up_to(limit: int) -> list[int]:
    """List the primes up to a limit."""
    if not 0 <= limit <= 1_000_000:
        raise ValueError("The limit must lie between 0 and 1000000.")
    sieve = bytearray([1]) * (limit + 1)
    for number in range(2, math.isqrt(limit) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit + 1, number)))
    return [number for number in range(2, limit + 1) if sieve[number]]


def divisors(number: int) -> list[int]:
    """List the divisors of a number, smallest first."""
    if number < 1:
        raise ValueError("The number must be at least 1.")
    small = [divisor for divisor in range(1, math.isqrt(number) + 1) if number % divisor == 0]
    return sorted({*small, *(number // divisor for divisor in small)})


def factorial(number: int) -> int:
    """Compute the factorial of a number."""
    if not 0 <= number <= 1000:
        raise ValueError("The number must lie between 0 and 1000.")
    return math.factorial(number)


def fibonacci(index: int) -> int:
    """Compute the Fibonacci number of an index; the one of 0 is 0."""
    if not 0 <= index <= 10_000:
        raise ValueError("The index must lie between 0 and 10000.")
    first, second = 0, 1
    for _ in range(index):
        first, second = second, first + second
    return first


def fibonacci_sequence(count: int) -> list[int]:
    """List the first Fibonacci numbers."""
    if not 0 <= count <= 1000:
        raise ValueError("The count must lie between 0 and 1000.")
    numbers = [0, 1]
    while len(numbers) < count:
        numbers.append(numbers[-1] + numbers[-2])
    return numbers[:count]


def greatest_common_divisor(first: int, second: int) -> int:
    """Compute the greatest common divisor of two numbers."""
    return math.gcd(first, second)


def least_common_multiple(first: int, second: int) -> int:
    """Compute the least common multiple of two numbers."""
    return math.lcm(first, second)


def digit_sum(number: int) -> int:
    """Add the digits of a number."""
    if number < 0:
        raise ValueError("The number must not be negative.")
    return sum(int(digit) for digit in str(number))


def is_perfect_number(number: int) -> bool:
    """Tell whether a number is the sum of its proper divisors."""
    if number < 1:
        raise ValueError("The number must be at least 1.")
    small = {divisor for divisor in range(1, math.isqrt(number) + 1) if number % divisor == 0}
    return sum({*small, *(number // divisor for divisor in small)}) == 2 * number


def is_armstrong_number(number: int) -> bool:
    """Tell whether a number is the sum of its digits, each to the power of their count."""
    if number < 0:
        raise ValueError("The number must not be negative.")
    digits = [int(digit) for digit in str(number)]
    return sum(int(math.pow(digit, len(digits))) for digit in digits) == number


def collatz_steps(number: int) -> int:
    """Count the steps of the Collatz sequence from a number to 1."""
    if number < 1:
        raise ValueError("The number must be at least 1.")
    steps = 0
    while number != 1:
        number = number * 3 + 1 if number % 2 else number // 2
        steps += 1
    return steps


# lists of numbers


def mean(numbers: list[float]) -> float:
    """Compute the mean of numbers."""
    if not numbers:
        raise ValueError("There must be at least one number.")
    return statistics.fmean(numbers)


def median(numbers: list[float]) -> float:
    """Compute the median of numbers."""
    if not numbers:
        raise ValueError("There must be at least one number.")
    return float(statistics.median(numbers))


def mode(numbers: list[float]) -> float:
    """Find the most frequent number, the first of several."""
    if not numbers:
        raise ValueError("There must be at least one number.")
    return statistics.mode(numbers)


def variance(numbers: list[float]) -> float:
    """Compute the population variance of numbers."""
    if not numbers:
        raise ValueError("There must be at least one number.")
    return float(statistics.pvariance(numbers))


def standard_deviation(numbers: list[float]) -> float:
    """Compute the population standard deviation of numbers."""
    if not numbers:
        raise ValueError("There must be at least one number.")
    return float(statistics.pstdev(numbers))


def minimum(numbers: list[float]) -> float:
    """Find the smallest number."""
    if not numbers:
        raise ValueError("There must be at least one number.")
    return min(numbers)


def maximum(numbers: list[float]) -> float:
    """Find the largest number."""
    if not numbers:
        raise ValueError("There must be at least one number.")
    return max(numbers)


def value_range(numbers: list[float]) -> float:
    """Compute the difference between the largest and the smallest number."""
    if not numbers:
        raise ValueError("There must be at least one number.")
    return max(numbers) - min(numbers)


def total(numbers: list[float]) -> float:
    """Add numbers."""
    return math.fsum(numbers)


def product(numbers: list[float]) -> float:
    """Multiply numbers."""
    return math.prod(numbers)


def count_numbers(numbers: list[float]) -> int:
    """Count numbers."""
    return len(numbers)


def sort_numbers(numbers: list[float]) -> list[float]:
    """Sort numbers, smallest first."""
    return sorted(numbers)


def percentile(numbers: list[float], percent: float) -> float:
    """Find the value below which a percentage of numbers lies, interpolated linearly."""
    if not numbers or not 0 <= percent <= 100:
        raise ValueError("There must be at least one number, and a percentage between 0 and 100.")
    ordered = sorted(numbers)
    place = (len(ordered) - 1) * percent / 100
    low, high = math.floor(place), math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def moving_average(numbers: list[float], window: int) -> list[float]:
    """List the means of every window of neighbouring numbers."""
    if not 1 <= window <= len(numbers):
        raise ValueError("The window must lie between 1 and the count of numbers.")
    return [math.fsum(numbers[i : i + window]) / window for i in range(len(numbers) - window + 1)]


# dates


def days_between(start: datetime.date, end: datetime.date) -> int:
    """Count the days from one date to another."""
    return (end - start).days


def weekdays_between(start: datetime.date, end: datetime.date) -> int:
    """Count the days from Monday to Friday in a span, its first day included, its last not."""
    if end < start:
        raise ValueError("The end must not lie before the start.")
    weeks, rest = divmod((end - start).days, 7)
    return weeks * 5 + sum((start.weekday() + day) % 7 < 5 for day in range(rest))


def add_days(date: datetime.date, days: int) -> datetime.date:
    """Give the date a number of days later."""
    try:
        return date + datetime.timedelta(days=days)
    except OverflowError as error:
        raise ValueError("That date lies outside the calendar.") from error


def day_of_week(date: datetime.date) -> str:
    """Name the day of the week of a date."""
    return calendar.day_name[date.weekday()]


def day_of_year(date: datetime.date) -> int:
    """Give the number of a date's day in its year."""
    return date.timetuple().tm_yday


def week_number(date: datetime.date) -> int:
    """Give the number of a date's week (ISO 8601)."""
    return date.isocalendar().week


def is_leap_year(year: int) -> bool:
    """Tell whether a year of the Gregorian calendar is a leap year."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def age_in_years(birth_date: datetime.date, on: datetime.date) -> int:
    """Give the age in whole years on a day."""
    if on < birth_date:
        raise ValueError("The day must not lie before the birth.")
    return on.year - birth_date.year - ((on.month, on.day) < (birth_date.month, birth_date.day))


def format_duration(seconds: int) -> str:
    """Write seconds as hours, minutes and seconds (H:MM:SS)."""
    if seconds < 0:
        raise ValueError("The seconds must not be negative.")
    minutes, rest = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


# searching and sorting


def binary_search(numbers: list[float], wanted: float) -> int:
    """Give the place of a number in a sorted list, counted from 0; -1 when it is not there."""
    if any(first > second for first, second in itertools.pairwise(numbers)):
        raise ValueError("The numbers must be sorted, smallest first.")
    low, high = 0, len(numbers)
    while low < high:
        middle = (low + high) // 2
        if numbers[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < len(numbers) and numbers[low] == wanted else -1


def linear_search(numbers: list[float], wanted: float) -> int:
    """Give the first place of a number in a list, counted from 0; -1 when it is not there."""
    return next((i for i, number in enumerate(numbers) if number == wanted), -1)


def merge_sort(numbers: list[float]) -> list[float]:
    """Sort numbers, smallest first: sort both halves, then merge them."""
    if len(numbers) < 2:
        return list(numbers)
    middle = len(numbers) // 2
    left, right = merge_sort(numbers[:middle]), merge_sort(numbers[middle:])
    merged: list[float] = []
    i = j = 0
    while i < len(left) and j < len(right):
        if right[j] < left[i]:
            merged.append(right[j])
            j += 1
        else:
            merged.append(left[i])
            i += 1
    return [*merged, *left[i:], *right[j:]]


def quick_sort(numbers: list[float]) -> list[float]:
    """Sort numbers, smallest first: part them around the middle one, then sort both parts."""
    parts = [list(numbers)]
    done: list[float] = []
    while parts:
        part = parts.pop()
        if not part or min(part) == max(part):
            done += part
            continue
        pivot = part[len(part) // 2]
        parts.append([number for number in part if number > pivot])
        parts.append([number for number in part if number == pivot])
        parts.append([number for number in part if number < pivot])
    return done


def bubble_sort(numbers: list[float]) -> list[float]:
    """Sort numbers, smallest first: exchange neighbours until none are in the wrong order."""
    found = list(numbers)
    for end in range(len(found) - 1, 0, -1):
        for i in range(end):
            if found[i] > found[i + 1]:
                found[i], found[i + 1] = found[i + 1], found[i]
    return found


def insertion_sort(numbers: list[float]) -> list[float]:
    """Sort numbers, smallest first: insert one after the other where it belongs."""
    found: list[float] = []
    for number in numbers:
        at = len(found)
        while at > 0 and found[at - 1] > number:
            at -= 1
        found.insert(at, number)
    return found


def selection_sort(numbers: list[float]) -> list[float]:
    """Sort numbers, smallest first: take the smallest of the rest, again and again."""
    found = list(numbers)
    for i in range(len(found)):
        smallest = min(range(i, len(found)), key=lambda place: found[place])
        found[i], found[smallest] = found[smallest], found[i]
    return found


# rounding


def round_half_even(number: float, decimals: int) -> float:
    """Round a number as written to a number of decimals, halves to the even neighbour (bankers' rounding)."""
    if not 0 <= decimals <= 15:
        raise ValueError("The number of decimals must be from 0 to 15.")
    step = decimal.Decimal(1).scaleb(-decimals)
    return float(decimal.Decimal(str(number)).quantize(step, rounding=decimal.ROUND_HALF_EVEN))


def round_half_up(number: float, decimals: int) -> float:
    """Round a number as written to a number of decimals, halves away from zero."""
    if not 0 <= decimals <= 15:
        raise ValueError("The number of decimals must be from 0 to 15.")
    step = decimal.Decimal(1).scaleb(-decimals)
    return float(decimal.Decimal(str(number)).quantize(step, rounding=decimal.ROUND_HALF_UP))


def round_up(number: float, decimals: int) -> float:
    """Round a number as written up to a number of decimals."""
    if not 0 <= decimals <= 15:
        raise ValueError("The number of decimals must be from 0 to 15.")
    step = decimal.Decimal(1).scaleb(-decimals)
    return float(decimal.Decimal(str(number)).quantize(step, rounding=decimal.ROUND_CEILING))


def round_down(number: float, decimals: int) -> float:
    """Round a number as written down to a number of decimals."""
    if not 0 <= decimals <= 15:
        raise ValueError("The number of decimals must be from 0 to 15.")
    step = decimal.Decimal(1).scaleb(-decimals)
    return float(decimal.Decimal(str(number)).quantize(step, rounding=decimal.ROUND_FLOOR))


# further statistics


def sample_variance(numbers: list[float]) -> float:
    """Compute the sample variance of at least two numbers."""
    if len(numbers) < 2:
        raise ValueError("At least two numbers are needed.")
    return float(statistics.variance(numbers))


def sample_standard_deviation(numbers: list[float]) -> float:
    """Compute the sample standard deviation of at least two numbers."""
    if len(numbers) < 2:
        raise ValueError("At least two numbers are needed.")
    return float(statistics.stdev(numbers))


# combinatorics


def count_combinations(of: int, chosen: int) -> int:
    """Count the ways to choose some of several things without order (binomial coefficient)."""
    if not (0 <= of <= 1000 and 0 <= chosen <= 1000):
        raise ValueError("The numbers must be from 0 to 1000.")
    return math.comb(of, chosen)


def count_permutations(of: int, chosen: int) -> int:
    """Count the ways to put some of several things in order."""
    if not (0 <= of <= 1000 and 0 <= chosen <= 1000):
        raise ValueError("The numbers must be from 0 to 1000.")
    return math.perm(of, chosen)


# further dates


def add_weekdays(date: datetime.date, days: int) -> datetime.date:
    """Give the date a number of days from Monday to Friday later."""
    if not 0 <= days <= 100_000:
        raise ValueError("The number of days must be from 0 to 100000.")
    for _ in range(days):
        date += datetime.timedelta(days=1)
        while date.weekday() > 4:
            date += datetime.timedelta(days=1)
    return date


def is_weekend(date: datetime.date) -> bool:
    """Tell whether a date is a Saturday or a Sunday."""
    return date.weekday() > 4


def days_in_month(year: int, month: int) -> int:
    """Give the number of days of a month."""
    if not 1 <= year <= 9999:
        raise ValueError("The year must be from 1 to 9999.")
    if not 1 <= month <= 12:
        raise ValueError("The month must be from 1 to 12.")
    return calendar.monthrange(year, month)[1]


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    name: function
    for name, function in list(globals().items())
    if inspect.isfunction(function) and name not in {"source_of", "modules_of"}
}
"""Every algorithm's function, by name."""
