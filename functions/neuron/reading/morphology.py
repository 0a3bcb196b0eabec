"""The forms of English words: singular and plural, the base form of verbs, numbers written as words.

Names for identifiers.

Promises: total (any string gives an answer), deterministic, bounded. Knows the irregular words of `lexicon`; guesses
the rest by the regular rules.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from functions.neuron.reading import inflections, lexicon

_VOWELS = frozenset("aeiou")
_IRREGULAR = frozenset(inflections.IRREGULAR_VERBS.values()) - {"rent", "book", "overlap"}


@lru_cache(maxsize=4096)
def normalised(text: str) -> str:
    """Put a word into lower case with plain apostrophes, and make spellings one."""
    low = text.lower().replace("\u2019", "'")
    return inflections.SPELLINGS.get(low, low)


@lru_cache(maxsize=4096)
def singular(word: str) -> str:
    """Give the singular of a noun; a noun that is singular already comes back as it is."""
    head, dash, last = word.rpartition("-")
    if dash and last in {"ups", "ins", "outs", "offs", "ons"}:
        return head + dash + last[:-1]
    return head + dash + _singular(last) if dash else _singular(word)


def _singular(word: str) -> str:
    if word in inflections.IRREGULAR_SINGULARS:
        return inflections.IRREGULAR_SINGULARS[word]
    if word in inflections.INVARIABLE or not word.endswith("s") or word.endswith(("ss", "us", "is")) or len(word) < 4:
        return word
    if word.endswith("ies"):
        return word[:-3] + "y" if len(word) > 4 else word[:-1]
    if word.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return word[:-2]
    if word.endswith("oes"):
        return word[:-2] if word[:-2] in inflections.OES else word[:-1]
    if word.endswith(("uses",)) and word[:-2] in inflections.US_WORDS:
        return word[:-2]
    return word[:-1]


@lru_cache(maxsize=4096)
def is_plural(word: str) -> bool:
    """Whether a word has the form of a plural noun."""
    return singular(word) != word or word in inflections.PLURAL_ONLY


@lru_cache(maxsize=4096)
def plural(word: str) -> str:
    """Give the plural of a singular noun (of an identifier: of its last word)."""
    head, separator, last = re.match(r"^(.*?)([_-]?)([^_-]*)$", word).groups() if word else ("", "", "")  # type: ignore[union-attr]
    return f"{head}{separator}{_plural(last)}"


def _plural(word: str) -> str:
    if word in inflections.IRREGULAR_PLURALS:
        return inflections.IRREGULAR_PLURALS[word]
    if word in inflections.INVARIABLE:
        return word
    if word.endswith("y") and len(word) > 1 and word[-2] not in _VOWELS:
        return word[:-1] + "ies"
    if word.endswith(("s", "x", "z", "ch", "sh")) or word in inflections.OES:
        return word + "es"
    return word + "s"


@lru_cache(maxsize=4096)
def verb_base(word: str) -> str | None:
    """Give the base form of a verb that the lexicon knows, whatever its form; None for anything else."""
    if word in inflections.IRREGULAR_VERBS:
        return inflections.IRREGULAR_VERBS[word]
    return next((base for base in _bases(word) if base in lexicon.VERBS), None)


def guessed_base(word: str) -> str:
    """Give the likeliest base form of a word that stands where a verb must stand."""
    known = verb_base(word)
    if known is not None:
        return known
    if word.endswith("ied"):
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith("ss"):
        return singular(word)
    if word.endswith("ed") and len(word) > 4:
        stem = word[:-2]
        doubled = len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] not in "lsz"
        return stem[:-1] if doubled else (stem + "e" if stem[-1] in "vcgsuz" else stem)
    return word


def _bases(word: str) -> list[str]:
    found = [word]
    for ending, replacements in (
        ("ies", ("y",)),
        ("ied", ("y",)),
        ("es", ("", "e")),
        ("s", ("",)),
        ("ed", ("", "e")),
        ("ing", ("", "e")),
    ):
        if word.endswith(ending) and len(word) - len(ending) > 1:
            stem = word[: -len(ending)]
            found += [stem + replacement for replacement in replacements]
            if ending in {"ed", "ing"} and len(stem) > 2 and stem[-1] == stem[-2]:
                found.append(stem[:-1])
    return found


_PARTICLES = frozenset({"in", "out", "up", "off", "on", "over", "away", "back"})


@lru_cache(maxsize=4096)
def participle(verb: str) -> str:
    """Give the past participle of a verb: borrow -> borrowed, cancel -> cancelled."""
    if verb in inflections.PARTICIPLES:
        return inflections.PARTICIPLES[verb]
    head, dash, particle = verb.partition("-")
    if dash and particle in _PARTICLES:
        return f"{participle(head)}_{particle}"
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and len(verb) > 1 and verb[-2] not in _VOWELS:
        return verb[:-1] + "ied"
    return verb + "ed"


def is_participle(word: str) -> bool:
    """Whether a word is the past participle of a known verb."""
    base = verb_base(word)
    if base in _IRREGULAR and word not in inflections.IRREGULAR_VERBS:
        return False
    return base is not None and (participle(base) == word or (word.endswith("ed") and word != base))


def number_word(word: str) -> int | None:
    """Give the value of a number written as a word: three, twenty-five, dozen; None for anything else."""
    if word in lexicon.NUMBER_WORDS:
        return lexicon.NUMBER_WORDS[word]
    tens, dash, ones = word.partition("-")
    if dash and tens in lexicon.NUMBER_WORDS and ones in lexicon.NUMBER_WORDS:
        return lexicon.NUMBER_WORDS[tens] + lexicon.NUMBER_WORDS[ones]
    return None


def name(*words: str) -> str:
    """Make an identifier of words: ASCII, snake_case, at most 63 characters; "item" when nothing is left."""
    text = " ".join(words)
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    folded = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", folded).lower().replace("'", "")
    made = "_".join(re.findall(r"[a-z0-9]+", folded))[:63].rstrip("_")
    return made if made and made[0].isalpha() else f"item_{made}".rstrip("_")[:63].rstrip("_")
