"""Algorithms that judge texts: their form, their check digits, what a password lacks, how far two are apart."""

from __future__ import annotations

import re


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
