"""Reads an item's name and what stands in front of it: determiners, adjectives, a counted noun."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import enumerations, lexicon, morphology, quantities
from functions.neuron.reading.draft import DraftField
from functions.neuron.reading.fields import sequences, uniqueness, vocabulary
from functions.neuron.reading.tokens import Kind
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token

_DROPPED: Final = lexicon.words(
    "short long brief valid corresponding own given certain specific particular proper associated single "
    "simple main respective assigned associated linked related"
)
_COUNTERS: Final = frozenset({"number", "count", "quantity"})
_COLLECTIONS: Final = frozenset({"list", "set", "collection", "series", "sequence", "group"})


@dataclass
class Item:
    """One item of a list of fields, read into a field, with the cardinality that was said of it."""

    field: DraftField
    tokens: tuple[Token, ...]
    bound: quantities.Bound | None = None
    many: bool = False
    determined: bool = False
    plural: bool = False  # many are meant although one is named: "at least one ingredient"
    left: list[tuple[Token, ...]] = dataclasses.field(default_factory=list)  # what was not understood


def premodifiers(tokens: Sequence[Token], i: int, item: Item) -> int:
    """Read what stands in front of an item's name into it; gives where the name begins."""
    while i < len(tokens):
        token = tokens[i]
        following = tokens[i + 1] if i + 1 < len(tokens) else None
        bound = (
            quantities.bound(tokens, i)
            if token.low not in {"positive", "non-negative", "nonnegative", "negative"}
            else None
        )
        if (
            end := quantities.phrase(tokens, i, "one or more")
            or quantities.phrase(tokens, i, "zero or more")
            or quantities.phrase(tokens, i, "any number of")
        ) is not None:
            item.many, item.determined, i = True, True, end
            continue
        counted = bound is not None and (token.low == "no" or not bound[0].exact)  # "no more than 5", "one to ten"
        if token.low in lexicon.DETERMINERS and not counted:
            item.determined = True
            item.many = item.many or token.low in {"many", "several", "multiple", "some", "various", "any"}
        elif (
            following is not None
            and bound is not None
            and bound[1] < len(tokens)
            and tokens[bound[1]].kind is Kind.WORD
            and tokens[bound[1]].low not in vocabulary.STOPS
        ):
            item.bound, item.determined = bound[0], True
            item.many = item.many or bound[0].high is None or bound[0].high > 1
            item.plural = bound[0].high is None and tokens[bound[1] - 1].value == 1
            i = bound[1]
            continue
        elif (
            token.low in vocabulary.PRE_ATTRIBUTES
            and following is not None
            and following.is_word
            and following.low not in vocabulary.STOPS
        ):
            adjective(item.field, token.low)
        elif not (
            token.low in _DROPPED
            and following is not None
            and following.is_word
            and following.low not in vocabulary.STOPS
        ):
            break
        i += 1
    return i


def adjective(target: DraftField, word: str) -> None:
    """Let a field be what an adjective in front of its name says."""
    target.nonzero = target.nonzero or word in {"non-zero", "nonzero"}
    match word:
        case "unique" | "distinct":
            target.unique = True
        case "optional" | "nullable":
            target.required = False
        case "required" | "mandatory" | "obligatory" | "compulsory":
            target.required = True
        case "positive":
            target.minimum, target.exclusive_minimum = 0, True
        case "non-negative" | "nonnegative":
            target.minimum = 0
        case "read-only" | "immutable" | "unchangeable" | "fixed":
            target.immutable = True
        case "non-empty" | "nonempty":
            target.min_length, target.required = 1, True
        case "free-text":
            target.type = FieldType.TEXT
        case _ if word in vocabulary.TYPES:
            target.type = vocabulary.TYPES[word]


def _odd_name(tokens: Sequence[Token], i: int) -> tuple[list[str], int] | None:
    """Read names that are no nouns: "plus one", "from", "until date"."""
    if (end := quantities.phrase(tokens, i, "plus one")) is not None:
        return ["plus", "one"], end
    if i < len(tokens) and tokens[i].low == "at" and (i + 1 == len(tokens) or tokens[i + 1].text == ","):
        return ["at"], i + 1
    if i < len(tokens) and tokens[i].low in _POINTS and _names_point(tokens, i + 1):
        named = i + 1 < len(tokens) and tokens[i + 1].low in _WHEN
        return [tokens[i].low, *([tokens[i + 1].low] if named else [])], i + 1 + named
    return None


_BEHIND_AT: Final = frozenset({"and", "optional", "required"})
_POINTS: Final = frozenset({"from", "to", "until", "till"})


def _names_point(tokens: Sequence[Token], at: int) -> bool:
    """Whether a preposition is the name of a moment: it stands alone in a list, or in front of "date" or "time"."""
    if at >= len(tokens) or tokens[at].text in {",", ";", "("} or tokens[at].low in {"and", "optional", "required"}:
        return True
    return tokens[at].low in _WHEN and (
        at + 1 >= len(tokens) or not tokens[at + 1].is_word or tokens[at + 1].low in vocabulary.STOPS
    )


_WHEN: Final = frozenset({"date", "day", "time"})
_SPANS: Final = frozenset({"from", "until", "to", "till", "through"})
_CORE_WORDS: Final = lexicon.words("default minimum maximum min max optional starting assigned used measured limited")


def core_name(tokens: Sequence[Token], i: int, item: Item) -> tuple[list[str], int]:
    """Read the words of a name."""
    core: list[str] = []
    if (odd := _odd_name(tokens, i)) is not None:
        return odd
    while i < len(tokens):
        token = tokens[i]
        if token.kind is Kind.POSSESSIVE:
            i += 1
            continue
        if (
            not token.is_word
            or (core and _stops(tokens, i))
            or (not core and token.low in vocabulary.STOPS - _CORE_WORDS)
        ):
            break
        if core and token.low in {"unique", "required", "mandatory"}:
            break
        core.append(token.low if token.kind is Kind.WORD else token.text)
        i = _with_aim(tokens, i + 1, core)
        if (
            i < len(tokens)
            and tokens[i].low in {"at", "on", "in"}
            and (
                i + 1 >= len(tokens) or tokens[i + 1].text in {",", ";", "("} or tokens[i + 1].low in _WHEN | _BEHIND_AT
            )
            and (
                morphology.is_participle(core[-1])
                or core[-1].endswith("ed")
                or (len(core) == 1 and core[0].endswith("s") and tokens[i].low != "in")
            )
        ):
            core.append(tokens[i].low)
            i += 1 + (i + 1 < len(tokens) and tokens[i + 1].low in _WHEN)
        if core[-1] == "valid" and i < len(tokens) and tokens[i].low in _SPANS:
            core.append(tokens[i].low)
            i += 1 + (i + 1 < len(tokens) and tokens[i + 1].low in _WHEN)
            item.field.type = FieldType.DATE
            break
        if (end := quantities.phrase(tokens, i, "on hand")) is not None:
            core += ["on", "hand"]
            i = end
        if (end := quantities.phrase(tokens, i, "in stock")) is not None:
            core += ["in", "stock"]
            i = end
    core, i = _until_date(tokens, core, i)
    return _unwrapped(tokens, _without_unit(core, item), i, item)


def _with_aim(tokens: Sequence[Token], at: int, core: list[str]) -> int:
    """Read what for behind a name, "steps to reproduce", "amount to pay"; gives where that ends.

    Behind a noun in the plural, and behind "time", a word that is not known to be a verb is one as well.
    """
    if at + 1 >= len(tokens) or tokens[at].low != "to" or not tokens[at + 1].text.islower():
        return at
    aim = tokens[at + 1]
    noun = morphology.is_plural(core[-1]) or core[-1] == "time"
    unknown = noun and aim.verb is None and aim.value is None and aim.low not in vocabulary.STOPS | lexicon.DETERMINERS
    if aim.verb != aim.low and not (unknown and not morphology.is_plural(aim.low)):
        return at
    behind = tokens[at + 2] if at + 2 < len(tokens) else None
    ends = behind is None or behind.text in {",", ";", "(", ")"} or behind.low in {"and", "in", "as", "which", "that"}
    core += ["to", aim.low] if ends else []
    return at + 2 * ends


def _until_date(tokens: Sequence[Token], core: list[str], i: int) -> tuple[list[str], int]:
    """Read on in "best before date" and "use by date": the preposition belongs to the name."""
    lasting = bool(core) and i + 1 < len(tokens) and tokens[i].low in {"before", "by"} and tokens[i + 1].low in _WHEN
    if not lasting or not _names_point(tokens, i + 1):
        return core, i
    return [*core, tokens[i].low, tokens[i + 1].low], i + 2


def _without_unit(core: list[str], item: Item) -> list[str]:
    """Read "duration minutes" as a duration in minutes."""
    if len(core) > 1 and core[-1] in _TIME_UNITS and core[-2] in _LASTING:
        item.field.description = f"In {core[-1]}."
        item.field.type, item.field.minimum = FieldType.INTEGER, 0
        return core[:-1]
    return core


_TIME_UNITS: Final = frozenset({"minutes", "hours", "seconds", "days", "weeks", "months", "years", "min", "mins"})
_LASTING: Final = frozenset({"duration", "length", "time", "runtime", "period"})
_STOPS_WORDS: Final = lexicon.words(
    "greater less more fewer at up above below over under larger longer positive non-negative"
)


def _stops(tokens: Sequence[Token], i: int) -> bool:
    token = tokens[i]
    if sequences.leads(tokens, i) is not None or uniqueness.exclusive(tokens, i) is not None:
        return True
    if sequences.in_case(tokens, i) is not None:
        return True
    if any(quantities.phrase(tokens, i, words) is not None for words in (*vocabulary.NOT_NOUGHT, "out of")):
        return True
    if i + 1 < len(tokens) and _exemplifies_or_compares(token, tokens[i + 1]):
        return True
    if token.low in {"in", "on", "it"}:
        return not token.text.isupper()
    if token.low in {"yes", "no", "true", "false"} and any(
        quantities.phrase(tokens, i + 1, words) is not None
        for words in ("by default", "default", "at first", "initially")
    ):
        return True
    if token.low in {"yes", "true"} and i + 1 < len(tokens) and tokens[i + 1].low in {"/", "or"}:
        return True
    if token.low in _STOPS_WORDS and quantities.bound(tokens, i) is not None:
        return True
    if token.low in {"optional", "maximum", "minimum", "max", "min"}:
        return not (
            i + 1 < len(tokens)
            and tokens[i + 1].is_word
            and tokens[i + 1].value is None
            and tokens[i + 1].low not in vocabulary.STOPS
            and token.low != "optional"
        )
    return (
        token.low in vocabulary.STOPS
        or token.low in lexicon.ARTICLES
        or (token.value is not None and token.kind is not Kind.QUOTED)
    )


def _exemplifies_or_compares(token: Token, following: Token) -> bool:
    """Whether "a label like A12" or "an end later than the start" goes on behind a name."""
    exemplifies = token.low == "like" and any(c.isdigit() for c in following.text)
    return exemplifies or (token.low.endswith("er") and following.low == "than")


def _unwrapped(tokens: Sequence[Token], core: list[str], i: int, item: Item) -> tuple[list[str], int]:
    """Read "number of copies" as copies, "list of tags" as many tags."""
    if not core or i + 1 >= len(tokens) or tokens[i].low != "of":
        return (core[:-1] if len(core) > 1 and core[-1] == "flag" else core), i
    following = i + 1
    while following < len(tokens) and tokens[following].low in lexicon.DETERMINERS | {"available", "total", "its"}:
        following += 1
    if (
        following >= len(tokens)
        or not tokens[following].is_word
        or quantities.bound(tokens, following) is not None
        or enumerations.enumeration(tokens, following) is not None
        or tokens[following].low in vocabulary.STOPS
    ):
        return core, i
    inner, end = core_name(tokens, following, item)
    if not inner:
        return core, i
    if core[-1] in {"stock", "supply"}:
        return core, end
    if core == ["maximum"] or core == ["minimum"]:
        return [*core, *inner], end
    if core[-1] in _COUNTERS:
        item.field.type, item.field.minimum = FieldType.INTEGER, 0
        return [*core[:-1], *inner], end
    if core[-1] in _COLLECTIONS:
        item.many = True
        return inner, end
    return [*core, "of", *inner], end
