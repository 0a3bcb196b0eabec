"""Reads what is said of a field behind its name or in brackets; each kind has a reader of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import enumerations, lexicon, morphology, quantities
from functions.neuron.reading.draft import DraftField
from functions.neuron.reading.fields import (
    comparisons,
    defaults,
    enumerating,
    naming,
    requirements,
    roles,
    sequences,
    sizes,
    tenses,
    uniqueness,
    vocabulary,
)
from functions.neuron.reading.frames import close_of
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token


def attributes(
    tokens: Sequence[Token], at: int, target: DraftField, left: list[tuple[Token, ...]] | None = None
) -> int:
    """Read the attributes behind a field's name into the field; give the position behind the last one."""
    i = at
    while i < len(tokens):
        token = tokens[i]
        if token.text in {"(", "["}:
            close = close_of(tokens, i)
            _parenthesised(tokens[i + 1 : close], target, left)
            i = close + 1
            continue
        end = _dashed(tokens, i, target) if token.text in _DASHES else _attribute(tokens, i, target)
        if end is None and token.text == "," and continues(tokens, i + 1):
            end = i + 1
        if end is None and token.low in {"and", "but"} and continues(tokens, i + 1) and i > at:
            end = i + 1
        if end is None:
            break
        i = end
    return i


_DASHES: Final = frozenset({"-", "\u2013", "—"})


def _dashed(tokens: Sequence[Token], at: int, target: DraftField) -> int | None:
    """Read what stands between dashes behind a name: "a severity - minor, major or critical - and …"."""
    end = next(
        (i for i in range(at + 1, len(tokens)) if tokens[i].text in _DASHES and tokens[i].start > tokens[i - 1].end),
        len(tokens),
    )
    end = _told_end(tokens, at + 1, end)
    said = list(tokens[at + 1 : end])
    while (
        said
        and quantities.phrase(said, 0, "one of") is None
        and (said[0].low in lexicon.ARTICLES | {"it", "this"} or morphology.name(said[0].low) in target.words)
    ):
        said = said[1:]
    probe = replace(target)
    _parenthesised(said, probe, None)
    if (probe.values, probe.unique, probe.required, probe.minimum, probe.max_length) == (
        target.values,
        target.unique,
        target.required,
        target.minimum,
        target.max_length,
    ):
        return None
    _parenthesised(said, target, None)
    return min(end + (end < len(tokens) and tokens[end].text in _DASHES), len(tokens))


def _told_end(tokens: Sequence[Token], start: int, end: int) -> int:
    """Give where what a dash opens ends: at the comma in "phone - optional, address", where the next field begins."""
    comma = next((i for i in range(start, end) if tokens[i].text in {",", ";"}), end)
    further = tokens[comma + 1 : end]
    if comma == end or not _part(tokens[start:comma], DraftField("probe"), alone=False) or not further:
        return end
    return end if _part(further, DraftField("probe"), alone=False) else comma


_CONTINUES_WORDS: Final = lexicon.words(
    "default defaulting defaults starting starts begins beginning optional unique required at up between initially "
    "not never non-negative min max minimum maximum"
)


def continues(tokens: Sequence[Token], i: int) -> bool:
    """Whether what stands behind a comma or "and" still speaks of the same field."""
    if i >= len(tokens):
        return False
    if tokens[i].low in {"which", "that", "who"} or any(reader(tokens, i) for reader in _CONTINUING):
        return True
    probe = DraftField("probe")
    if tokens[i].low in {"of", "with"} and i + 1 < len(tokens) and tokens[i + 1].low not in vocabulary.SEPARATORS:
        return _attribute(tokens, i, probe) is not None
    if tokens[i].low in _CONTINUES_WORDS or tokens[i].low in lexicon.MODALS | lexicon.BE:
        end = _attribute(tokens, i, probe)
        return end is not None and not (
            end < len(tokens)
            and tokens[end].is_word
            and tokens[end].low not in vocabulary.STOPS | vocabulary.SEPARATORS | vocabulary.FILLER
        )
    return False


def _default_follows(tokens: Sequence[Token], i: int) -> bool:
    probe = DraftField("probe")
    if defaults.value_by_default(tokens, i, probe) is not None:
        return True
    led = quantities.phrase(tokens, i, "by default") is not None and defaults.default(tokens, i, probe) is not None
    return led and probe.default is not None


def _bound_follows(tokens: Sequence[Token], i: int) -> bool:
    bare = quantities.bound(tokens, i)
    if bare is not None and not bare[0].exact and _ends_bound(tokens, bare[1]):
        return True
    probe = DraftField("probe")
    long = tokens[i].value is not None and sizes.sizes(tokens, i, probe) is not None
    return long and bool(probe.max_length or probe.min_length)


def _kept_so(tokens: Sequence[Token], i: int) -> bool:
    """Whether what follows says in which case a text is written, or that it never changes, or is missing at first."""
    probe = DraftField("probe")
    never = tokens[i].low == "never" and requirements.requirement(tokens, i, probe) is not None
    return never or sequences.case(tokens, i, probe) is not None or requirements.for_a_while(tokens, i) is not None


_CONTINUING: Final = (_default_follows, _bound_follows, _kept_so)


def _ends_bound(tokens: Sequence[Token], at: int) -> bool:
    """Whether a bound stands by itself, with its unit at most: "more than 100" and "up to 20 characters"."""
    at += at < len(tokens) and (tokens[at].low in vocabulary.UNITS or tokens[at].singular in sizes.CHARACTERS)
    return at >= len(tokens) or tokens[at].text in {",", ";", ")"} or tokens[at].low in lexicon.CONJUNCTIONS


def _attribute(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    token = tokens[i]
    for reader in (
        defaults.present,
        tenses.tense,
        tenses.later_by,
        comparisons.formula,
        comparisons.compared,
        defaults.default,
        uniqueness.uniqueness,
        requirements.requirement,
        requirements.named_type,
        sequences.sequence,
        sequences.case,
        enumerating.of_numbers,
        enumerating.letters,
        sizes.decimal_places,
        sizes.sizes,
        sizes.unit_of,
        roles.role,
        roles.helper,
        enumerating.said_values,
    ):
        end = reader(tokens, i, target)
        if end is not None:
            return end
    if token.low in {"per", "each"} and i + 1 < len(tokens) and tokens[i + 1].is_word:
        target.per = tokens[i + 1].low
        return i + 2
    return None


_PARENTHESISED_WORDS: Final = lexicon.words("e.g. i.e. example like such for eg etc")
_CHARACTERS: Final = {
    "letters": "A-Za-z",
    "digits": "0-9",
    "numbers": "0-9",
    "alphanumeric": "A-Za-z0-9",
    "underscores": "_",
    "hyphens": "\\-",
    "dashes": "\\-",
    "dots": "\\.",
    "periods": "\\.",
    "spaces": " ",
    "and": "",
    "or": "",
    "only": "",
}


def _parenthesised(tokens: Sequence[Token], target: DraftField, left: list[tuple[Token, ...]] | None) -> None:
    """Read what stands in brackets behind a field: attributes, or the values of an enumeration."""
    tokens = _without_sequence(_without_format(tokens, target), target)
    parts = [] if _one_of(tokens, target) or _kinds(tokens, target) else _parts(tokens)
    bare: list[str] = []
    characters: set[str] = set()
    for at, part in enumerate(parts):
        if _amid_values(parts, at):
            bare += _bare_values(part)
            continue
        if _part(part, target, alone=len(parts) == 1) or (_exemplary(part) and not _like_value(part, parts)):
            continue
        if (kinds := _kinds_of_characters(part)) is not None:
            characters |= kinds
            continue
        values = _bare_values(part)
        bare += values
        if not values and left is not None and part:
            left.append(tuple(part))
    if any(characters):
        low, high = target.min_length or 1, target.max_length or ""
        target.type = FieldType.STRING
        target.pattern = f"^[{''.join(sorted(characters))}]{{{low},{high}}}$"
    if len(bare) == 1 and left is not None and " to " in f" {bare[0].lower()} ":
        left.append(tuple(tokens))  # "(Monday to Friday)"
    counted = target.type is FieldType.INTEGER and all(map(enumerating.is_whole, bare))
    if len(bare) > 1 and (counted or target.type in {None, FieldType.STRING, FieldType.ENUM}):
        enumerating.enumerate_values(target, bare)


def _kinds(tokens: Sequence[Token], target: DraftField) -> bool:
    """Read "(food, clothes, money)" where one value is called as a type is: there are others, which are none."""
    parts = _parts(tokens)
    typed = [p for p in parts if len(p) == 1 and requirements.named_type(p, 0, DraftField("probe")) is not None]
    others = [
        p[0].text for p in parts if p not in typed and len(p) == 1 and not _part(p, DraftField("probe"), alone=False)
    ]
    plain = all(text.isalpha() for text in others) and target.type in {None, FieldType.STRING, FieldType.ENUM}
    if not typed or not plain or len(others) < enumerating.SEVERAL or len(typed) + len(others) != len(parts):
        return False
    enumerating.enumerate_values(target, [p[0].text for p in parts])
    return True


def _bare_values(part: Sequence[Token]) -> list[str]:
    """Give the values that a part of a bracket names; none where it is nothing of the kind."""
    value, end = enumerations.one(part, 0)
    if value is None and part and part[0].low == "like":
        return [" ".join(t.low for t in part)]
    if value is not None and end == len(part):
        return [value]
    chain = enumerations.until_or(part, 0)
    return chain[0] if chain is not None else []


def _amid_values(parts: Sequence[Sequence[Token]], at: int) -> bool:
    """Whether a word that may say what a field is like is one of its values: "(new, in progress, fixed, closed)"."""
    if len(parts[at]) != 1 or not 0 < at < len(parts) - 1:
        return False
    others = [*parts[:at], *parts[at + 1 :]]
    return all(_bare_values(part) and not _part(part, DraftField("probe"), alone=False) for part in others)


def _kinds_of_characters(part: Sequence[Token]) -> set[str] | None:
    """Give the characters that "lower-case letters", "digits" and "dots" allow; None for anything else."""
    words = [token.low for token in part if token.low not in {"only", "and", "or"}]
    if words[1:] == ["letters"] and words[0] in _CASES:
        return {_CASES[words[0]]}
    return {_CHARACTERS[t.low] for t in part} if part and all(t.low in _CHARACTERS for t in part) else None


_CASES: Final = {
    "lowercase": "a-z",
    "lower-case": "a-z",
    "small": "a-z",
    "uppercase": "A-Z",
    "upper-case": "A-Z",
    "capital": "A-Z",
}


def _without_sequence(tokens: Sequence[Token], target: DraftField) -> Sequence[Token]:
    """Read "one capital letter and two digits" at the beginning into the field; gives what is left."""
    end = sequences.sequence(tokens, 0, target) if tokens else None
    return tokens[end + 1 :] if end is not None and (end >= len(tokens) or tokens[end].text == ",") else tokens


def _without_format(tokens: Sequence[Token], target: DraftField) -> Sequence[Token]:
    """Read "format: three capital letters, a dash and five digits" into the field; gives what is left."""
    for i in range(len(tokens)):
        opens = tokens[i].low in {"format", "pattern"} and i + 2 < len(tokens)
        start = i + 1 + (opens and tokens[i + 1].text in {":", "="})
        end = sequences.sequence(tokens, start, target) if opens else None
        if end is not None:
            return [*tokens[: max(0, i - 1)], *tokens[end:]]
    return tokens


def _one_of(tokens: Sequence[Token], target: DraftField) -> bool:
    """Read "one of kitchen, bedroom, office" where nothing else is said."""
    if [token.low for token in tokens] in (
        ["yes", "/", "no"],
        ["true", "/", "false"],
        ["yes", "or", "no"],
        ["true", "or", "false"],
    ):
        target.type = FieldType.BOOLEAN
        return True
    opens = quantities.phrase(tokens, 0, "one of") is not None
    return opens and enumerating.said_values(tokens, 0, target) == len(tokens)


def _exemplary(part: Sequence[Token]) -> bool:
    return bool(part) and part[0].low in _PARENTHESISED_WORDS


def _like_value(part: Sequence[Token], parts: Sequence[Sequence[Token]]) -> bool:
    """Whether "like new" is one of several values, rather than an example."""
    return (
        part[0].low == "like"
        and len(parts) > enumerating.SEVERAL
        and len(part) == enumerating.SEVERAL
        and part is not parts[-1]
    )


def _part(part: Sequence[Token], target: DraftField, *, alone: bool) -> bool:
    i = 0
    if len(part) > 1 and part[0].low in {"a", "an"} and part[1].low in vocabulary.PRE_ATTRIBUTES:
        i = 1  # "(a positive whole number)"
    if len(part) > _NAMED and part[0].low in {"a", "an"} and part[1].low == "year":
        target.type, i = FieldType.INTEGER, _NAMED  # "(a year no earlier than 1900)"
    while i < len(part):
        chosen = part[i].low in {"one", "either"} and quantities.phrase(part, i, "one or more") is None
        end = enumerating.said_values(part, i, target) if chosen else _attribute(part, i, target)
        if end is None and part[i].low in vocabulary.PRE_ATTRIBUTES:
            naming.adjective(target, part[i].low)
            numeric = part[i].low in {"whole", "integer", "decimal", "numeric"}
            end = i + 1 + (numeric and i + 1 < len(part) and part[i + 1].low in {"number", "value"})
        if end is None and part[i].text in _CURRENCIES and len(part) == 1:
            end = i + 1
        if end is None and part[i].low in vocabulary.UNITS and alone:
            target.description = f"In {part[i].low}."
            end = i + 1
        if end is None and part[i].low in vocabulary.FILLER | {"per"} and i > 0:
            end = i + 1
        if end is None:
            return False
        i = end
    return True


_NAMED: Final = 2
_CURRENCIES: Final = frozenset({"£", "€", "$"})
_PARTS_WORDS: Final = lexicon.words("more less fewer above over higher older at")


def _parts(tokens: Sequence[Token]) -> list[list[Token]]:
    """Cut at commas, semicolons, slashes, bars and conjunctions, but not inside "between 1 and 5"."""
    parts: list[list[Token]] = [[]]
    for i, token in enumerate(tokens):
        inside = token.low in {"and", "or"} and (
            (i > 0 and quantities.is_number(tokens[i - 1]))
            or any(t.low == "between" for t in parts[-1])
            or (i + 1 < len(tokens) and tokens[i + 1].low in _PARTS_WORDS)
        )
        if (token.text in {",", ";", "/", "|"} or token.low in {"and", "or"}) and not inside:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]
