"""Algorithms that count in texts and that change them."""

from __future__ import annotations

import collections
import re
import string
import textwrap
import unicodedata


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
    """List the words of a text with their counts, the most frequent first, without regard to case."""
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
