"""Reads what the catalogue of algorithms has a name for: a median, a palindrome, the greatest common divisor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import formulas, honesty, lexicon, quantities
from functions.neuron.reading.computing import computations, further, named
from shared.software.algorithms import CATALOGUE
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.tokens import Token

# algorithm -> alternatives of words, all of which must occur (as they stand, in the singular, or as a verb's base form)
_WORDS: Final[dict[str, str]] = {
    "count_words": "count word|number of word|how many word|word count",
    "count_lines": "count line|number of line|how many line|line count",
    "count_characters": "count character|number of character|how many character|character count|count char",
    "count_letters": "count letter|number of letter",
    "count_sentences": "count sentence|number of sentence|sentence count",
    "count_paragraphs": "count paragraph|number of paragraph",
    "count_vowels": "count vowel|number of vowel|how many vowel",
    "count_consonants": "count consonant|number of consonant",
    "count_unique_words": (
        "count unique word|number of unique word|count distinct word|number of different word|"
        "number of distinct word|count different word"
    ),
    "count_occurrences": "count occurrence|how often occur|number of occurrence",
    "word_frequencies": (
        "word frequency|frequency of word|most common word|most frequent word|frequency word|top word|"
        "how often each word|frequent word"
    ),
    "character_frequencies": "character frequency|letter frequency|frequency of character|frequency of letter",
    "longest_word": "longest word",
    "average_word_length": "average word length|average length word|mean word length",
    "reverse_text": "reverse text|reverse string|reverse a string|reverse phrase|reverse sentence",
    "reverse_words": "reverse word order|reverse the order of word|reverse word",
    "uppercase": "uppercase|upper case|upper-case|upper",
    "lowercase": "lowercase|lower case|lower-case|lower",
    "title_case": (
        "title case|title-case|capitalize every word|capitalise every word|capitalize each word|"
        "capitalise each word|titlecase"
    ),
    "capitalize": "capitalize first letter|capitalise first letter|capitalize the text|capitalise the text",
    "swap_case": "swap case|invert case",
    "snake_case": "snake case|snake_case|snake-case|snakecase",
    "camel_case": "camel case|camelcase|camel-case",
    "pascal_case": "pascal case|pascalcase|pascal-case",
    "kebab_case": "kebab case|kebab-case|kebabcase",
    "slugify": "slug|slugify|url slug",
    "normalize_whitespace": (
        "normalize whitespace|normalise whitespace|collapse whitespace|collapse space|extra space|"
        "normalize space|trim whitespace|strip whitespace"
    ),
    "remove_punctuation": "remove punctuation|strip punctuation",
    "remove_vowels": "remove vowel",
    "remove_duplicate_lines": "remove duplicate line|unique line|deduplicate line|duplicate line",
    "remove_blank_lines": "remove blank line|remove empty line|empty line",
    "sort_lines": "sort line",
    "number_lines": "number each line|line number|number the line|add line number",
    "reverse_lines": "reverse line",
    "truncate_text": "truncate",
    "wrap_text": "wrap text|wrap line",
    "replace_text": "replace text|replace word|replace occurrence|find and replace",
    "rot13": "rot13",
    "is_palindrome": "palindrome",
    "are_anagrams": "anagram",
    "is_valid_email": "valid email|validate email|check email|validate email address|email valid",
    "is_valid_url": "valid url|validate url",
    "is_valid_isbn": "valid isbn|validate isbn|check isbn|isbn check",
    "is_valid_card_number": "credit card number|luhn|card number",
    "is_valid_iban": "iban",
    "is_valid_ipv4": "ipv4|ip address",
    "edit_distance": "levenshtein|edit distance",
    "hamming_distance": "hamming",
    "number_to_words": "number to word|number in word|number into word|spell out number|spell number",
    "is_prime": "is prime|check prime|prime number|test prime|whether prime",
    "prime_factors": "prime factor|factorize|factorise|prime factorization|prime factorisation",
    "primes_up_to": "prime up to|prime below|list prime|prime number up to|all prime",
    "divisors": "divisor",
    "factorial": "factorial",
    "fibonacci": "nth fibonacci|n-th fibonacci|fibonacci number",
    "fibonacci_sequence": "first fibonacci number|fibonacci sequence|first fibonacci|fibonacci series|fibonacci",
    "greatest_common_divisor": "greatest common divisor|gcd|greatest common factor",
    "least_common_multiple": "least common multiple|lcm|lowest common multiple",
    "digit_sum": "sum digit|digit sum|sum of digit",
    "is_perfect_number": "perfect number",
    "is_armstrong_number": "armstrong",
    "collatz_steps": "collatz",
    "mean": "mean|average",
    "median": "median",
    "mode": "mode",
    "variance": "variance",
    "standard_deviation": "standard deviation|stddev|std",
    "minimum": "minimum|smallest|min|lowest",
    "maximum": "maximum|largest|max|highest|biggest",
    "value_range": "range",
    "total": "sum|total",
    "product": "product of number",
    "count_numbers": "count number",
    "sort_numbers": "sort number|sort list|sort a list",
    "percentile": "percentile",
    "moving_average": "moving average|rolling average|rolling mean",
    "days_between": "day between|number of day between|difference between date|difference two date|date difference",
    "weekdays_between": (
        "number of working day between|number of business day between|number of weekday between|"
        "weekday between|working day between|business day between|workday between"
    ),
    "add_days": "add day|add a number of day|day to a date|day after date",
    "day_of_week": "day of the week|day of week|weekday of date|which weekday|weekday",
    "day_of_year": "day of the year|day of year",
    "week_number": "week number|calendar week|iso week",
    "is_leap_year": "leap year",
    "age_in_years": "age birth|age in year|age of a person|age date of birth|age birthday",
    "binary_search": "binary search",
    "linear_search": "linear search",
    "merge_sort": "merge sort|mergesort",
    "quick_sort": "quick sort|quicksort",
    "bubble_sort": "bubble sort|bubblesort",
    "insertion_sort": "insertion sort",
    "selection_sort": "selection sort",
    "round_half_even": (
        "round half even|round half to even|half-even|bankers round|bankers rounding|banker round|banker rounding|"
        "bank rounding"
    ),
    "round_half_up": "round half up|half-up",
    "round_up": "round up",
    "round_down": "round down",
    "sample_variance": "sample variance",
    "sample_standard_deviation": "sample standard deviation|sample stdev",
    "count_combinations": "number of combination|count combination|binomial|binomial coefficient",
    "count_permutations": "number of permutation|count permutation",
    "add_weekdays": "add business day|add working day|add weekday|add workday",
    "is_weekend": "weekend|is weekend",
    "days_in_month": "day in a month|day in month|day of a month|number of day month|how many day month",
    "format_duration": "format duration|format second|second as hour",
}
_TRIGGERS: Final = [
    (name, frozenset(alternative.split()))
    for name, alternatives in _WORDS.items()
    for alternative in alternatives.split("|")
]
_STATISTICS: Final = lexicon.words(
    "mean median mode variance standard_deviation minimum maximum value_range total product count_numbers "
    "sort_numbers percentile moving_average"
)
_NUMERIC_CONTEXT: Final = lexicon.words(
    "number numbers value values dataset statistic statistics series integers floats measurements sample samples"
)


def in_catalogue(words: Sequence[Token], draft: Draft, *, whole: bool) -> bool:
    """Read what the catalogue of algorithms names."""
    words = [
        t
        for i, t in enumerate(words)
        if not (
            t.low in {"command", "line"}
            and any(quantities.phrase(words, j, "command line") is not None for j in (i, i - 1) if j >= 0)
        )
    ]
    everything = computations.lemmas_of(words)
    numeric = bool(everything & _NUMERIC_CONTEXT) or any(
        CATALOGUE_NUMBERS & {c.algorithm} for c in draft.computations.values()
    )
    given = further.given(words)
    found: list[str] = []
    unread: list[named.Segment] = []
    left: list[Sequence[Token]] = []
    for segment in named.segments(words, _leading(draft)):
        if segment.words[0].start < given and segment.words[-1].end <= given:
            unread.append(segment)
            continue
        named_here = _ranked(segment.own, segment.whole, numeric=numeric) or _elliptic(segment, found)
        named_here.sort(key=lambda found: not _by_verb(segment, found[1]))
        meant = [name for name, wanted in named_here if _is_meant(segment, name, wanted, alone=whole)]
        counted = None if named_here else _counted(segment, words, draft)
        chosen = meant[0] if meant else counted
        if chosen is not None:
            found.append(chosen)
            left.append(further.grouped(segment.words, SPOKEN[chosen]))
        elif named_here:
            left.append(segment.words)
        else:
            unread.append(segment)
    if whole and not found and not unread[1:] and (ranked := _ranked(everything, everything, numeric=numeric)):
        found += [ranked[0][0]] if not further.another(words, *ranked[0], SPOKEN[ranked[0][0]]) else []
    if whole and not found and "statistic" in everything and numeric and not {"text", "texts"} & everything:
        found = list(_USUAL)
    for name in dict.fromkeys(found):
        computations.algorithm(draft, name, _sizes(name, words))
        if CATALOGUE[name].parameters[0].type is FieldType.TEXT and _of_file(everything, draft):
            draft.reads_file.add(name)
    if found or not whole:
        _leave_rest(words, left, unread, draft)
    return bool(found)


def _by_verb(segment: named.Segment, wanted: frozenset[str]) -> bool:
    """Whether the verb that a part begins with names the algorithm: "truncate it to a number of characters"."""
    first = next((t for t in segment.words if t.low not in {"to", "can", "it"}), segment.words[0])
    return len(wanted) == 1 and first.verb in wanted and first.verb in _DOING


_DOING: Final = lexicon.words("truncate slugify wrap")


def _is_meant(segment: named.Segment, name: str, wanted: frozenset[str], *, alone: bool) -> bool:
    """Whether a part asks for the algorithm that some of its words name. `alone`: nothing else is read."""
    if further.another(segment.words, name, wanted, SPOKEN[name]) or _only_shared(segment, name, wanted):
        return False
    return not (name in _STATISTICS and _no_statistic(segment, name, wanted, alone=alone))


def _leave_rest(
    words: Sequence[Token], left: Sequence[Sequence[Token]], unread: Sequence[named.Segment], draft: Draft
) -> None:
    """Say of what a clause asks for beside what was read of it that it is not done."""
    given = further.given(words)
    made = [c for c in draft.computations.values() if ("computation", c.name) in draft.marks[draft.at]]
    known = {word for c in made for word in further.spoken(c, _WORDS.get(c.algorithm or "", ""))}
    said_so = {word for c in made for formula in formulas.KNOWN if formula.name == c.name for word in formula.said}
    known |= said_so
    asked = [said for said in left if not _all_of(said, said_so)]
    for said in [*asked, *(_unfound(part, known) for part in unread)]:
        if not (said and said[0].start < given and any(honesty.lemmas([t]) & known for t in _beside(said, unread))):
            draft.leave(said, further.NOTHING)


def _all_of(said: Sequence[Token], words: set[str]) -> bool:
    """Whether every word that says something is among those of the formulas that were read."""
    told = [t for t in said if t.is_word and t.low not in lexicon.DETERMINERS]
    return bool(told) and all(honesty.lemmas([t]) & words for t in told)


def _leading(draft: Draft) -> set[str]:
    """Give the verbs of an introduction that the clause at hand goes on from behind a colon."""
    before = draft.clauses[draft.at - 1] if draft.at else None
    here = draft.clauses[draft.at]
    if before is None or not before.intro or ":" not in draft.request[before.end : here.start]:
        return set()
    return {t.verb for t in before.tokens if t.verb in _CHECKING}


_CHECKING: Final = lexicon.words("validate count convert reverse check")


def _only_shared(segment: named.Segment, name: str, wanted: frozenset[str]) -> bool:
    """Whether a part names an algorithm only with a word of another part, and otherwise speaks of something else."""
    if wanted <= segment.own:
        return False
    if segment.own & {"first", "last", "next", "previous"}:
        return True  # "the number of …, the last day of the month": no number
    return _rated(segment) or bool(further.unfound(segment.words, SPOKEN[name]))


def _rated(segment: named.Segment) -> bool:
    """Whether a part reckons with a rate: "reading time at 200 words per minute"."""
    return any(t.value is not None for t in segment.words) and "per" in segment.own


def _no_statistic(segment: named.Segment, name: str, wanted: frozenset[str], *, alone: bool) -> bool:
    """Whether a word for a statistic stands for something else: "whether two ranges overlap", "the days in a range"."""
    if "whether" in segment.own:
        return True
    lows = [t.low for t in segment.words if t.low not in lexicon.DETERMINERS]
    at = next((i for i, t in enumerate(segment.words) if computations.lemmas(t) & wanted), 0)
    before = next((t.low for t in reversed(segment.words[:at]) if t.low not in lexicon.DETERMINERS), "")
    inside = len(wanted) == 1 and before in {"in", "within"} and len(lows) > 1
    return inside or (not alone and further.followed(segment.words, wanted, SPOKEN[name]))


def _unfound(segment: named.Segment, known: set[str]) -> Sequence[Token]:
    """Give the words of a part that nothing was read for and that ask for something."""
    return segment.words if _rated(segment) else further.unfound(segment.words, known)


def _beside(said: Sequence[Token], unread: Sequence[named.Segment]) -> Sequence[Token]:
    """Give all words of the part that some words stand in."""
    return next((segment.words for segment in unread if said[0] in segment.words), said)


_USUAL: Final = ("mean", "median", "standard_deviation", "minimum", "maximum")
"""What "statistics" are when the request names none itself."""


def without_presumed(draft: Draft) -> None:
    """Take the usual statistics back that only "a statistics library" stands for, where others are named."""
    presumed = {("computation", name) for name in _USUAL}
    for at, clause in enumerate(draft.clauses):
        named = {mark for other, marks in draft.marks.items() if other != at for mark in marks}
        if not clause.intro or set(draft.marks.get(at, ())) != presumed:
            continue
        if not any(mark[1] in _STATISTICS for mark in named if mark[0] == "computation"):
            continue
        draft.marks[at] = [("kind",)]
        for mark in presumed - named:
            draft.computations.pop(mark[1], None)


_EXACT: Final = 3


def exactly(words: Sequence[Token], draft: Draft) -> bool:
    """Read an algorithm that three words or more name, and nothing else of the words."""
    own = computations.lemmas_of(words)
    ranked = _ranked(own, own, numeric=False)
    return bool(ranked) and len(ranked[0][1]) >= _EXACT and computations.algorithm(draft, ranked[0][0])


SPOKEN: Final = {name: further.of_algorithm(entry, _WORDS.get(name, "")) for name, entry in CATALOGUE.items()}
"""The words that speak of an algorithm."""


CATALOGUE_NUMBERS: Final = frozenset(
    name for name, entry in CATALOGUE.items() if entry.parameters and entry.parameters[0].type is FieldType.LIST
)


_LEAST_SAID: Final = 2


def _elliptic(segment: named.Segment, found: Sequence[str]) -> list[tuple[str, frozenset[str]]]:
    """Read "half to even" behind "round half up": the first word is taken over from what was named before it."""
    before = {alternative.split()[0] for alternative in _WORDS[found[-1]].split("|")} if found else set()
    lacking = [(name, wanted, wanted - segment.own) for name, wanted in _TRIGGERS]
    return [
        (name, wanted)
        for name, wanted, lacks in lacking
        if len(lacks) == 1 and lacks <= before and len(wanted) > _LEAST_SAID
    ]


_FILES: Final = frozenset({"file", "files", "stdin", "input"})


def _of_file(everything: set[str], draft: Draft) -> bool:
    """Whether a clause, or the introduction in front of it, says that the text is a file's."""
    first = draft.clauses[0]
    return bool(_FILES & (everything | (computations.lemmas_of(first.tokens) if first.intro else set())))


def _counted(segment: named.Segment, words: Sequence[Token], draft: Draft) -> str | None:
    """Read "lines" and "words" among the statistics of a text as their numbers."""
    said = [t for t in segment.words if t.is_word and t.low not in lexicon.DETERMINERS]
    around = computations.lemmas_of([*words, *draft.clauses[0].tokens])
    if len(said) != 1 or not {"statistic", "stats", "count", "number", "figure"} & around:
        return None
    return next((name for name in CATALOGUE if name == f"count_{said[0].low}"), None)


def _ranked(own: set[str], whole: set[str], *, numeric: bool) -> list[tuple[str, frozenset[str]]]:
    """Give the algorithms that words name, the best one first, with the words that name each."""
    candidates = [
        (len(wanted), len(wanted & own), -i, name, wanted)
        for i, (name, wanted) in enumerate(_TRIGGERS)
        if wanted <= whole and wanted & own and (name not in _STATISTICS or numeric)
    ]
    return [(name, wanted) for _, _, _, name, wanted in sorted(candidates, key=lambda c: c[:3], reverse=True)]


def _sizes(name: str, words: Sequence[Token]) -> dict[str, float | bool | str] | None:
    if name == "word_frequencies":
        value = next((t.value for t in words if t.value is not None), None)
        return {"limit": int(value)} if value is not None and value >= 1 else None
    return None
