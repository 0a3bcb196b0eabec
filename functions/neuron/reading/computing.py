"""Reads what is to be computed: counts, conversions, statistics, formulas, tests and transformations of texts.

Formulas that the request writes out come first; then units, codes, named formulas, and the catalogue of algorithms.
Promises: nothing is guessed beyond
what is named: a result that is neither written out nor known stays undone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import formulas, honesty, lexicon, morphology, predicates, quantities
from functions.neuron.reading.tokens import Kind as TokenKind
from shared.software.algorithms import CATALOGUE
from shared.software.specification import Case, Computation, FieldType, Kind, Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from functions.neuron.reading.clauses import Clause
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
    "slugify": "slug|slugify",
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
        "round half even|half-even|bankers round|bankers rounding|banker round|banker rounding|bank rounding"
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
    "days_in_month": "day in a month|day in month|day of a month|number of day month",
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
# noun -> (algorithm that writes it, algorithm that reads it)
_CODES: Final[dict[str, tuple[str, str]]] = {
    "roman": ("to_roman", "from_roman"),
    "binary": ("to_binary", "from_binary"),
    "hexadecimal": ("to_hexadecimal", "from_hexadecimal"),
    "hex": ("to_hexadecimal", "from_hexadecimal"),
    "octal": ("to_octal", "from_octal"),
    "morse": ("to_morse", "from_morse"),
    "base64": ("base64_encode", "base64_decode"),
    "caesar": ("caesar_encrypt", "caesar_decrypt"),
    "run-length": ("run_length_encode", "run_length_decode"),
}
_WRITING: Final = frozenset({"encode", "encrypt", "encipher", "compress", "encoding", "encrypts"})
_READING: Final = lexicon.words("decode decrypt decipher decompress parse expand decoding")
_COMPUTING: Final = lexicon.words(
    "count convert compute calculate reverse check tell test validate verify generate encode decode encrypt "
    "decrypt sort return give print find determine transform translate turn take capitalise capitalize format "
    "report show output list add subtract multiply divide summarise summarize measure estimate get remove "
    "strip trim replace truncate wrap normalize normalise slugify work make produce provide support can have "
    "offer include do let display read accept analyse analyze answer split classify"
)
_TYPES: Final = {"number": FieldType.NUMBER, "integer": FieldType.INTEGER}


def read(clause: Clause, draft: Draft) -> bool:
    """Read a clause for what it wants computed; True when that was found and added to the draft."""
    words = clause.words
    if _stated(words, draft):
        return True
    if _conversion(words, draft):
        beside = _beside_conversion(words)
        if beside:
            _several(beside, draft)
        return True
    return _password(words, draft) or _several(words, draft)


def _beside_conversion(words: Sequence[Token]) -> list[Token]:
    """Give what else a clause asks for: "computes the median of numbers and converts miles to kilometres"."""
    at = next((i for i, t in enumerate(words) if t.verb == "convert"), None)
    if at is None:
        return []
    further = (i for i in range(at + 1, len(words)) if words[i].verb in _COMPUTING and words[i - 1].low in {"and", ","})
    rest = [*words[:at], *words[next(further, len(words)) :]]
    return rest if any(t.verb in _COMPUTING for t in rest) else []


def read_part(words: Sequence[Token], draft: Draft) -> bool:
    """Read a part of an enumeration for what it wants computed."""
    return _several(words, draft)


def _several(words: Sequence[Token], draft: Draft) -> bool:
    """Read codes, arithmetic, named formulas and what the catalogue names, which may stand in one clause."""
    known = predicates.read(words, draft)
    known = _coded(words, draft) or known or _arithmetic(words, draft) or _named(words, draft)
    return _catalogued(words, draft, whole=not known) or known


def restricts(clause: Clause, draft: Draft) -> bool:
    """Read what is said of the arguments of computations: "negative numbers are refused"."""
    return (
        _absolute_zero(clause.words, draft)
        or _refused(clause.words, draft)
        or _bounded(clause.words, draft)
        or _rounded(clause.words, draft)
    )


def _lemmas(token: Token) -> set[str]:
    stem, _, number = token.low.rpartition("-")
    parts = [stem] if number.isdigit() else []  # "ISBN-13"
    return {token.low, token.singular, *([token.verb] if token.verb else []), *parts}


def _bag(tokens: Iterable[Token]) -> set[str]:
    return {lemma for token in tokens for lemma in _lemmas(token)}


def _add(draft: Draft, computation: Computation) -> bool:
    known = draft.computations.get(computation.name)
    if known is None or not known.cases:
        draft.computations[computation.name] = computation
    return draft.mark(("computation", computation.name))


# formulas that are written out


_STATED_WORDS: Final = lexicon.words("is equals = are as by using from")


def _stated(words: Sequence[Token], draft: Draft) -> bool:
    """Read "the tip is 15% of the bill", "calculates BMI as weight divided by height squared"."""
    for i, token in enumerate(words):
        if i == 0 or not (token.low in _STATED_WORDS or token.text == "="):
            continue
        start = i + 1
        for passed in (
            "calculated as",
            "computed as",
            "defined as",
            "given by",
            "equal to",
            "calculated by",
            "the result of",
            "calculated from",
        ):
            start = quantities.phrase(words, start, passed) or start
        read_formula = formulas.read(words[start:])
        if read_formula is None or not read_formula[0].operators or not read_formula[0].names:
            continue
        formula, end = read_formula
        end += start
        name = _subject_name(words[:i])
        if name is None or name in formula.names:
            continue
        cases = _cases(words, end, formula)
        if cases is None:
            continue
        names, made, end = cases
        parameters = tuple(Parameter(name=n, type=FieldType.NUMBER) for n in names)
        computation = Computation(
            name=name,
            parameters=parameters,
            returns=FieldType.NUMBER,
            cases=made,
            description=f"Compute the {name.replace('_', ' ')}",
        )
        if any(t.is_word and t.low not in lexicon.PREPOSITIONS | lexicon.DETERMINERS for t in words[end:]):
            draft.leave(words[end:], "this part of the formula was not understood")
        return _add(draft, computation)
    return False


_SUBJECT_NAME_WORDS: Final = lexicon.words(
    "calculate compute return work determine give estimate find get output print"
)


def _subject_name(tokens: Sequence[Token]) -> str | None:
    """Name the result: what stands before "is" or behind "calculates"."""
    start = next(
        (i + 1 for i, t in enumerate(tokens) if t.verb in _SUBJECT_NAME_WORDS),
        0,
    )
    start = 0 if start == len(tokens) else start
    words: list[str] = []
    for token in tokens[start:]:
        if token.low in lexicon.PREPOSITIONS | {"is", "that", "which"} or token.text in {",", "("}:
            break
        if token.is_word and token.low not in lexicon.DETERMINERS | lexicon.ADVERBS | {"out"}:
            words.append(token.low)
    return morphology.name(*words) if 0 < len(words) <= 5 else None


def _cases(words: Sequence[Token], end: int, first: formulas.Formula) -> tuple[list[str], tuple[Case, ...], int] | None:
    """Read "… if the total is over 100, otherwise …" behind a formula."""
    if end >= len(words) or words[end].low not in {"if", "when", "for"}:
        return first.names, (Case(expression=first.text),), end
    condition = _condition(words, end + 1, first.names)
    if condition is None:
        return first.names, (Case(expression=first.text),), end
    when, at = condition
    while at < len(words) and (words[at].text in {",", ";"} or words[at].low in {"and", "otherwise", "else", "or"}):
        at += 1
    rest = formulas.read(words[at:], first.names)
    if rest is None:
        return None
    names = list(dict.fromkeys([*first.names, *rest[0].names]))
    return names, (Case(expression=first.text, when=when), Case(expression=rest[0].text)), at + rest[1]


def _condition(words: Sequence[Token], at: int, names: Sequence[str]) -> tuple[str, int] | None:
    for end in range(at, min(at + 8, len(words))):
        read_bound = quantities.bound(words, end)
        if read_bound is None or read_bound[0].exact:
            continue
        name = morphology.name(
            *[t.low for t in words[at:end] if t.is_word and t.low not in lexicon.DETERMINERS | lexicon.BE]
        )
        known = next(
            (n for n in names if n == name or n.endswith(name) or name.endswith(n) or morphology.singular(name) == n),
            None,
        ) or (names[0] if end == at else None)
        if known is None:
            return None
        bound = read_bound[0]
        parts = []
        if bound.low is not None:
            parts.append(f"{known} {'>' if bound.low_open else '>='} {bound.low}")
        if bound.high is not None:
            parts.append(f"{known} {'<' if bound.high_open else '<='} {bound.high}")
        return " and ".join(parts), read_bound[1]
    return None


# units


def _conversion(words: Sequence[Token], draft: Draft) -> bool:
    """Read "converts miles to kilometres", "between Celsius, Fahrenheit and Kelvin"."""
    bag = _bag(words)
    everything = _bag(token for clause in draft.clauses for token in clause.tokens)
    if not (bag | everything) & {"convert", "conversion", "converter"}:
        return False
    back = bool(_BACK & bag)
    pairs = _unit_pairs(words)
    for source, target in pairs:
        _convert(draft, source, target)
        if back:
            _convert(draft, target, source)
    if pairs:
        _leave_unconverted(words, draft)
        return True
    named = _units_named(words)
    if not named and bag & {"temperature"}:
        return _convert(draft, "celsius", "fahrenheit") and _convert(draft, "fahrenheit", "celsius")
    done = [
        _convert_among(draft, dimension, named, both=back or "between" in bag or not {"to", "into"} & bag)
        for dimension in dict.fromkeys(d for _, (d, _) in named)
    ]
    return any(done)


def _leave_unconverted(words: Sequence[Token], draft: Draft) -> None:
    """Say of each "litres to US gallons" whose units are unknown that nothing computes it."""
    start = 0
    for end in [*(i for i, t in enumerate(words) if t.text in {",", ";"} or t.low == "and"), len(words)]:
        part = [t for t in words[start:end] if t.is_word]
        if {t.low for t in part[1:-1]} & {"to", "into"}:
            units = [unit for _, unit in _units_named(part)]
            alike = len(units) == _PAIR and units[0][0] == units[1][0] and units[0] != units[1]
            if not (alike and _convert(draft, units[0][1], units[1][1])):
                draft.leave(part, "Nothing that HAL9 knows computes this.")
        start = end + 1


_PAIR: Final = 2
_BACK: Final = frozenset({"back", "versa", "vice", "reverse", "both"})
_SPEEDS: Final = {
    "kilometres per hour": "kilometres_per_hour",
    "kilometers per hour": "kilometres_per_hour",
    "miles per hour": "miles_per_hour",
    "metres per second": "metres_per_second",
    "meters per second": "metres_per_second",
}
_Named = list[tuple[int, tuple[str, str]]]  # position, (dimension, unit)


def _units_named(words: Sequence[Token]) -> _Named:
    """Find the units that are named, in order."""
    plain = [(i, formulas.UNIT_WORDS.get(t.low.replace("-", "_"))) for i, t in enumerate(words)]
    speeds = [
        (i, ("speed", u)) for i in range(len(words)) for w, u in _SPEEDS.items() if quantities.phrase(words, i, w)
    ]
    return sorted([(i, unit) for i, unit in plain if unit is not None] + speeds)


def _convert_among(draft: Draft, dimension: str, named: _Named, *, both: bool) -> bool:
    """Convert between the units of one dimension."""
    units = list(dict.fromkeys(unit for _, (d, unit) in named if d == dimension))
    if len(units) < 2 and dimension == "temperature":
        units = ["celsius", "fahrenheit"]
    if len(units) > 2:
        return _convert_all(draft, dimension, units)
    if len(units) < 2:
        return False
    if both or _and_back(units, named):
        _convert(draft, units[1], units[0])
    return _convert(draft, units[0], units[1])


def _unit_pairs(words: Sequence[Token]) -> list[tuple[str, str]]:
    """Read "metres to feet, kilometres to miles"."""
    found = []
    for i in range(1, len(words) - 1):
        source = formulas.UNIT_WORDS.get(words[i - 1].low)
        target = formulas.UNIT_WORDS.get(words[i + 1].low)
        if words[i].low in {"to", "into"} and source and target and source[0] == target[0] and source != target:
            found.append((source[1], target[1]))
    return found


def _and_back(units: Sequence[str], named: Sequence[tuple[int, tuple[str, str]]]) -> bool:
    order = [unit for _, (_, unit) in sorted(named) if unit in units]
    return order[1:3] == [units[1], units[1]] or len(order) >= 4


def _convert(draft: Draft, source: str, target: str) -> bool:
    parameter = Parameter(name=source, type=FieldType.NUMBER)
    expression = formulas.conversion(source, target, source)
    refuses = _too_cold(source, source) or (Case(expression="The value must not be negative.", when=f"{source} < 0"),)
    computation = Computation(
        name=morphology.name(source, "to", target),
        parameters=(parameter,),
        returns=FieldType.NUMBER,
        cases=(Case(expression=expression),),
        refuses=refuses,
        description=f"Convert {source.replace('_', ' ')} to {target.replace('_', ' ')}",
    )
    return _add(draft, computation)


def _too_cold(unit: str, name: str) -> tuple[Case, ...]:
    zero = formulas.ABSOLUTE_ZERO.get(unit)
    return (Case(expression="That is below absolute zero.", when=f"{name} < {zero}"),) if zero else ()


def _convert_all(draft: Draft, dimension: str, units: Sequence[str]) -> bool:
    """One function for all pairs of three units or more."""
    parameters = (
        Parameter(name="value", type=FieldType.NUMBER),
        Parameter(name="source", type=FieldType.ENUM, values=tuple(units), description="The unit to convert from."),
        Parameter(name="target", type=FieldType.ENUM, values=tuple(units), description="The unit to convert to."),
    )
    pairs = [(s, t) for s in units for t in units if s != t]
    cases = (
        *(
            Case(expression=formulas.conversion(s, t, "value"), when=f"source == '{s}' and target == '{t}'")
            for s, t in pairs
        ),
        Case(expression="value"),
    )
    refuses = tuple(
        Case(expression=c.expression, when=f"source == '{u}' and ({c.when})")
        for u in units
        for c in _too_cold(u, "value")
    )
    if not refuses:
        refuses = (Case(expression="The value must not be negative.", when="value < 0"),)
    found = _add(
        draft,
        Computation(
            name=morphology.name("convert", dimension),
            parameters=parameters,
            returns=FieldType.NUMBER,
            cases=cases,
            refuses=refuses,
            description=f"Convert a {dimension} from one unit to another",
        ),
    )
    if draft.kind is Kind.LIBRARY and len(units) == 3:
        for source, target in pairs:
            _convert(draft, source, target)
    return found


# codes, arithmetic, passwords


def _coded(words: Sequence[Token], draft: Draft) -> bool:
    """Read "converts numbers to Roman numerals and back", "decode Morse code", "Caesar cipher encryption"."""
    bag = _bag(words)
    lows = [token.low for token in words]
    found = False
    for noun, (writes, reads) in _CODES.items():
        at = next(
            (
                i
                for i, low in enumerate(lows)
                if (low == noun and not {"search", "tree", "heap"} & set(lows[i + 1 : i + 2]))
                or (low.startswith(noun) and noun in {"roman", "run-length"})
            ),
            None,
        )
        if at is None and noun == "run-length":
            at = next((i for i in range(len(lows)) if quantities.phrase(words, i, "run length") is not None), None)
        if at is None:
            continue
        writing = bool(bag & _WRITING) or any(low in {"to", "into", "in", "as"} for low in lows[max(0, at - 3) : at])
        reading = bool(bag & _READING) or any(low in {"to", "into"} for low in lows[at + 1 : at + 5])
        both = bool({"back", "versa", "between", "both"} & bag) or writing == reading
        for wanted, name in ((writing or both, writes), (reading or both, reads)):
            if wanted:
                found = _algorithm(draft, name) or found
    return found


def _algorithm(
    draft: Draft, name: str, defaults: dict[str, float | bool | str] | None = None, title: str | None = None
) -> bool:
    entry = CATALOGUE[name]
    parameters = tuple(
        p.model_copy(update={"default": defaults[p.name], "required": False}) if defaults and p.name in defaults else p
        for p in entry.parameters
    )
    examples = entry.examples if not defaults else ()
    return _add(
        draft,
        Computation(
            name=title or name,
            parameters=parameters,
            returns=entry.returns,
            items=entry.items,
            algorithm=name,
            examples=examples,
            description=entry.summary,
        ),
    )


def _arithmetic(words: Sequence[Token], draft: Draft) -> bool:
    """Read "a calculator that adds, subtracts, multiplies and divides two numbers"."""
    lows = {token.low for token in words}
    verbs = [t.verb for t in words if t.verb in formulas.ARITHMETIC] + [
        formulas.ARITHMETIC_NOUNS[t.low] for t in words if t.low in formulas.ARITHMETIC_NOUNS
    ]
    context = {"number", "numbers", "calculator", "arithmetic", "integers"} & lows
    if not context or {"date", "dates"} & lows or len(set(verbs)) < 1 or (len(set(verbs)) == 1 and "two" not in lows):
        return False
    found = False
    for verb in dict.fromkeys(verbs):
        found = _formula(draft, formulas.ARITHMETIC[verb or ""], {}) or found
    return found


def _formula(draft: Draft, known: formulas.Known, defaults: dict[str, float]) -> bool:
    parameters = tuple(
        Parameter(name=name, type=_TYPES[kind], required=(value := defaults.get(name, default)) is None, default=value)
        for name, kind, default in known.parameters
    )
    refuses = tuple(Case(expression=message, when=when) for when, message in known.refuses)
    cases = _loan() if known.name == "loan_payment" else (Case(expression=known.expression),)
    return _add(
        draft,
        Computation(
            name=known.name,
            parameters=parameters,
            returns=FieldType.NUMBER,
            cases=cases,
            refuses=refuses,
            description=known.description,
        ),
    )


def _loan() -> tuple[Case, ...]:
    return (
        Case(expression="principal / months", when="annual_rate == 0"),
        Case(expression="principal * (annual_rate / 1200) / (1 - (1 + annual_rate / 1200) ** -months)"),
    )


_PASSWORD_WORDS: Final = lexicon.words(
    "check validate strength strong verify test rule valid must validator checker have contain need require"
)


def _password(words: Sequence[Token], draft: Draft) -> bool:
    """Read "checks that a password has at least 10 characters, a digit and an upper-case letter"."""
    bag = _bag(words)
    earlier = draft.computations.get("is_strong_password")
    checking = "password" in bag and bag & _PASSWORD_WORDS
    if not checking and not (
        earlier is not None
        and {"it", "must", "contain"} & bag
        and {"digit", "letter", "character", "symbol", "uppercase", "lowercase"} & bag
    ):
        return False
    earlier = None if earlier is not None and earlier.examples else earlier
    defaults: dict[str, float | bool | str] = (
        {p.name: p.default for p in earlier.parameters if p.default is not None} if earlier else {}
    )
    for i in range(len(words)):
        read_bound = quantities.bound(words, i)
        if (
            read_bound is not None
            and read_bound[0].low is not None
            and read_bound[1] < len(words)
            and words[read_bound[1]].singular in {"character", "char", "long"}
        ):
            defaults["min_length"] = int(read_bound[0].whole().low or 8)
    named = {
        "needs_upper": {"upper", "uppercase", "upper-case", "capital"} & bag,
        "needs_lower": {"lower", "lowercase", "lower-case", "small"} & bag,
        "needs_digit": {"digit", "number", "numeral"} & bag,
        "needs_symbol": {"symbol", "special", "punctuation"} & bag,
    }
    if any(named.values()) or "min_length" in defaults:
        for parameter, stated in named.items():
            defaults[parameter] = bool(stated) or (bool(defaults.get(parameter)) if earlier else False)
    draft.computations.pop("is_strong_password", None)
    draft.computations.pop("password_faults", None)
    return _algorithm(draft, "is_strong_password", defaults) and _algorithm(draft, "password_faults", defaults)


# what people name


def _segments(words: Sequence[Token]) -> list[tuple[set[str], set[str]]]:
    """Cut at commas and conjunctions: (the segment's own words."""
    parts: list[list[Token]] = [[]]
    for i, token in enumerate(words):
        if token.low in {"command", "line"} and any(
            quantities.phrase(words, j, "command line") is not None for j in (i, i - 1) if j >= 0
        ):
            continue
        if token.text in {",", ";", ":"} or token.low in {"and", "or", "plus", "also", "then"}:
            parts.append([])
        elif token.kind is not TokenKind.PUNCTUATION:
            parts[-1].append(token)
    parts = [part for part in parts if part]
    found: list[tuple[set[str], set[str]]] = []
    shared: set[str] = set()
    for part in parts:
        verbs = {t.verb for t in part if t.verb in _COMPUTING and t.low != "number"}
        if verbs:
            shared = {v for v in verbs if v}
        if any(t.low == "number" for t in part) and any(t.low == "of" for t in part):
            shared |= {"number", "of"}
        own = _bag(part)
        found.append((own, own | shared))
    return found


def _named(words: Sequence[Token], draft: Draft) -> bool:
    """Read formulas by their names: "BMI", "the area of a circle", "a tip"."""
    found = False
    bag = _bag(words)
    best: dict[frozenset[str], formulas.Known] = {}
    for known in formulas.KNOWN:
        for alternative in known.words:
            wanted = frozenset(alternative.split())
            if wanted <= bag:
                best[wanted] = known
    for wanted, known in best.items():
        if any(wanted < other for other in best) or (known.name == "tip" and draft.kind is Kind.API):
            continue
        found = _formula(draft, known, _percentage(words, known)) or found
    return found


def _percentage(words: Sequence[Token], known: formulas.Known) -> dict[str, float]:
    if not any(name == "percent" for name, _, _ in known.parameters):
        return {}
    value = next(
        (
            t.value
            for i, t in enumerate(words)
            if t.kind is TokenKind.PERCENT
            or (t.value is not None and i + 1 < len(words) and words[i + 1].low in {"percent", "%"})
        ),
        None,
    )
    return {"percent": value} if value is not None else {}


def _catalogued(words: Sequence[Token], draft: Draft, *, whole: bool) -> bool:
    """Read what the catalogue of algorithms names."""
    words = [
        t
        for i, t in enumerate(words)
        if not (
            t.low in {"command", "line"}
            and any(quantities.phrase(words, j, "command line") is not None for j in (i, i - 1) if j >= 0)
        )
    ]
    everything = _bag(words)
    numeric = bool(everything & _NUMERIC_CONTEXT) or any(
        CATALOGUE_NUMBERS & {c.algorithm} for c in draft.computations.values()
    )
    found: list[str] = []
    unread: list[set[str]] = []
    for own, shared in _segments(words):
        name = _best(own, shared, numeric=numeric)
        if name is not None:
            found.append(name)
        else:
            unread.append(own)
    if whole and not found and (name := _best(everything, everything, numeric=numeric)) is not None:
        found.append(name)
    if whole and not found and "statistic" in everything and numeric and "text" not in everything:
        found = ["mean", "median", "standard_deviation", "minimum", "maximum"]
    for name in dict.fromkeys(found):
        _algorithm(draft, name, _sizes(name, words))
        if CATALOGUE[name].parameters[0].type is FieldType.TEXT and {"file", "files", "stdin", "input"} & everything:
            draft.reads_file.add(name)
    if (found or not whole) and draft.kind is Kind.LIBRARY:
        _leave_unread(words, unread, draft)
    return bool(found)


def _leave_unread(words: Sequence[Token], unread: Sequence[set[str]], draft: Draft) -> None:
    """Say of the parts of an enumeration that ask for something which nothing computes."""
    made = [c for c in draft.computations.values() if ("computation", c.name) in draft.marks[draft.at]]
    for own in unread:
        part = [t for t in words if _lemmas(t) <= own and t.is_word and not honesty.hollow(t)]
        told = [t for t in part if t.verb not in _COMPUTING and t.value is None and t.low not in _OF_LIBRARIES]
        known = {word for c in made for word in _spoken(c)}
        unfound = [t for t in told if not honesty.lemmas([t]) & known]
        if unfound and 2 * len(unfound) > len(told):
            draft.leave(unfound[:1] if len(unfound) == 1 else unfound, "Nothing that HAL9 knows computes this.")


_OF_LIBRARIES: Final = lexicon.words(
    "helper helpers utility utilities typed pure tested documented everything common basic simple standard statistics "
    "statistical math maths mathematical conversions conversion converter converters validation validator validators "
    "case manipulation processing integers integer floats float strings numbers lists sorted following text texts "
    "back vice versa searching sorting rounding structures algorithms algorithm calendar finance "
    "financial roman numeral numerals"
)


def _spoken(computation: Computation) -> set[str]:
    """Give the words that speak of a computation."""
    entry = CATALOGUE.get(computation.algorithm or "")
    texts = [computation.name.replace("_", " "), computation.description, _WORDS.get(computation.algorithm or "", "")]
    texts += [p.name.replace("_", " ") for p in computation.parameters] + ([entry.summary] if entry else [])
    words = {word.strip("|().,;") for text in texts for word in text.lower().replace("|", " ").split()}
    return words | {morphology.singular(word) for word in words}


CATALOGUE_NUMBERS: Final = frozenset(
    name for name, entry in CATALOGUE.items() if entry.parameters and entry.parameters[0].type is FieldType.LIST
)


def _best(own: set[str], whole: set[str], *, numeric: bool) -> str | None:
    candidates = [
        (len(wanted), len(wanted & own), -i, name)
        for i, (name, wanted) in enumerate(_TRIGGERS)
        if wanted <= whole and wanted & own and (name not in _STATISTICS or numeric)
    ]
    return max(candidates)[3] if candidates else None


def _sizes(name: str, words: Sequence[Token]) -> dict[str, float | bool | str] | None:
    if name == "word_frequencies":
        value = next((t.value for t in words if t.value is not None), None)
        return {"limit": int(value)} if value is not None and value >= 1 else None
    return None


# what is said of arguments


def _absolute_zero(words: Sequence[Token], draft: Draft) -> bool:
    if any(quantities.phrase(words, i, "absolute zero") is not None for i in range(len(words))):
        cold = [c.name for c in draft.computations.values() if any("absolute zero" in r.expression for r in c.refuses)]
        return bool(cold) and draft.mark(*[("computation", name) for name in cold])
    return False


_REFUSED_WORDS: Final = lexicon.words("refuse reject error invalid forbidden disallow raise fail refused rejected")


def _refused(words: Sequence[Token], draft: Draft) -> bool:
    """Read "negative amounts are refused", "an empty list is an error", "division by zero is an error"."""
    bag = _bag(words)
    refusing = (
        bag & _REFUSED_WORDS
        or ("allow" in bag and bag & lexicon.NEGATIONS)
        or ("accept" in bag and bag & lexicon.NEGATIONS)
    )
    if not refusing or not draft.computations or bag & {"first", "last", "former", "latter", "second", "both"}:
        return False
    marks = []
    for computation in list(draft.computations.values()):
        changed = _restricted(computation, bag)
        if changed is not None:
            draft.computations[computation.name] = changed
            marks.append(("computation", computation.name))
    return bool(marks) and draft.mark(*marks)


def _restricted(computation: Computation, bag: set[str]) -> Computation | None:
    """Give the computation with a further refusal; the same one when it refuses that already."""
    if "empty" in bag:
        return (
            computation
            if any(e.refused for e in computation.examples) and computation.parameters[0].type == FieldType.LIST
            else None
        )
    if "zero" in bag and bag & {"divide", "division"}:
        return computation if any("== 0" in (r.when or "") for r in computation.refuses) else None
    if "negative" in bag:
        numbers = [
            p for p in computation.parameters if p.type in {FieldType.NUMBER, FieldType.INTEGER, FieldType.DECIMAL}
        ]
        if not numbers or computation.algorithm:
            return computation if numbers and any(p.minimum is not None and p.minimum >= 0 for p in numbers) else None
        named = [p for p in numbers if p.name in bag or morphology.singular(p.name) in bag] or numbers
        fresh = tuple(
            Case(expression=f"The {p.name.replace('_', ' ')} must not be negative.", when=f"{p.name} < 0")
            for p in named
        )
        known = {r.when for r in computation.refuses}
        stronger = {f"{p.name} <= 0" for p in named} & {k for k in known if k}
        return computation.model_copy(
            update={
                "refuses": (
                    *computation.refuses,
                    *(c for c in fresh if c.when not in known and (c.when or "").replace("<", "<=") not in stronger),
                )
            }
        )
    if bag & {"invalid", "malformed"}:
        return computation if any(e.refused for e in computation.examples) else None
    return None


def _bounded(words: Sequence[Token], draft: Draft) -> bool:
    """Read "the height must be positive", "the discount must lie between 0 and 100"."""
    marks = []
    verb = next((i for i, t in enumerate(words) if t.low in lexicon.MODALS | lexicon.BE), None)
    if verb is None or verb == 0:
        return False
    nouns = {lemma for t in words[:verb] if t.is_word for lemma in (t.low, t.singular)}
    read_bound = next(
        (b for i in range(verb, len(words)) if (b := quantities.bound(words, i)) is not None and not b[0].exact), None
    )
    if read_bound is None:
        return False
    bound = read_bound[0]
    for computation in list(draft.computations.values()):
        named = [
            p
            for p in computation.parameters
            if set(p.name.split("_")) & nouns and p.type in {FieldType.NUMBER, FieldType.INTEGER}
        ]
        if not named or computation.algorithm:
            continue
        fresh = []
        for parameter in named:
            shown = parameter.name.replace("_", " ")
            if bound.low is not None:
                fresh.append(
                    Case(
                        expression=f"The {shown} must be {_more(open_end=bound.low_open)} {bound.low}.",
                        when=f"{parameter.name} {'<=' if bound.low_open else '<'} {bound.low}",
                    )
                )
            if bound.high is not None:
                fresh.append(
                    Case(
                        expression=f"The {shown} must be {'less than' if bound.high_open else 'at most'} {bound.high}.",
                        when=f"{parameter.name} {'>=' if bound.high_open else '>'} {bound.high}",
                    )
                )
        known = {r.when for r in computation.refuses}
        draft.computations[computation.name] = computation.model_copy(
            update={"refuses": (*computation.refuses, *(c for c in fresh if c.when not in known))}
        )
        marks.append(("computation", computation.name))
    return bool(marks) and draft.mark(*marks)


def _more(*, open_end: bool) -> str:
    return "greater than" if open_end else "at least"


def _rounded(words: Sequence[Token], draft: Draft) -> bool:
    """Read "results are rounded to two decimal places"."""
    bag = _bag(words)
    if not bag & {"round", "rounded"} or not draft.computations:
        return False
    places = next(
        (int(t.value) for t in words if t.value is not None and 0 <= t.value <= 9),
        0 if "whole" in bag or "integer" in bag or "nearest" in bag else 2,
    )
    marks = []
    for computation in list(draft.computations.values()):
        if computation.cases and computation.returns is FieldType.NUMBER:
            cases = tuple(
                c.model_copy(update={"expression": f"round({c.expression}, {places})"}) for c in computation.cases
            )
            draft.computations[computation.name] = computation.model_copy(update={"cases": cases})
            marks.append(("computation", computation.name))
    return bool(marks) and draft.mark(*marks)
