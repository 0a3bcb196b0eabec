"""Algorithms that write texts in codes and read them: ciphers, Morse, run lengths, Base64."""

from __future__ import annotations

import base64
import binascii
import itertools
import re
import string


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
