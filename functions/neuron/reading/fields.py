"""Reads what stands where fields are listed: "a unique email, a priority low, medium or high.

And an optional due date".

A list is a sequence of items; an item is a determiner, adjectives, a name, and attributes behind it ("that is
unique", "between 1 and 5", "(optional)",
"defaulting to draft", "of at most 100 characters"). The same attributes stand behind "must be". Promises: linear in
the tokens but for bounded look-ahead.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import enumerations, lexicon, morphology, quantities
from functions.neuron.reading.draft import DraftField
from functions.neuron.reading.frames import close_of
from functions.neuron.reading.tokens import Kind
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token

_SEPARATORS: Final = frozenset({",", "and", ";", "plus", "&", "then", "+"})
_TYPES: Final = {
    "string": FieldType.STRING,
    "str": FieldType.STRING,
    "varchar": FieldType.STRING,
    "text": FieldType.TEXT,
    "integer": FieldType.INTEGER,
    "int": FieldType.INTEGER,
    "whole": FieldType.INTEGER,
    "decimal": FieldType.DECIMAL,
    "money": FieldType.DECIMAL,
    "currency": FieldType.DECIMAL,
    "float": FieldType.NUMBER,
    "numeric": FieldType.DECIMAL,
    "boolean": FieldType.BOOLEAN,
    "bool": FieldType.BOOLEAN,
    "flag": FieldType.BOOLEAN,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "timestamp": FieldType.DATETIME,
    "time": FieldType.TIME,
    "url": FieldType.URL,
    "uuid": FieldType.UUID,
    "email": FieldType.EMAIL,
    "number": FieldType.DECIMAL,
    "yes/no": FieldType.BOOLEAN,
    "percentage": FieldType.DECIMAL,
    "percent": FieldType.DECIMAL,
}
_PRE_ATTRIBUTES: Final = lexicon.words(
    "unique optional required mandatory positive non-negative nonnegative integer decimal boolean whole "
    "read-only immutable non-empty nonempty nullable distinct obligatory unchangeable fixed compulsory "
    "indexed free-text numeric"
)
_DROPPED: Final = lexicon.words(
    "short long brief valid corresponding own given certain specific particular proper associated single "
    "simple main respective assigned associated linked related"
)
_COUNTERS: Final = frozenset({"number", "count", "quantity"})
_COLLECTIONS: Final = frozenset({"list", "set", "collection", "series", "sequence", "group"})
_STOPS: Final = (
    lexicon.PREPOSITIONS
    | lexicon.RELATIVES
    | lexicon.CONJUNCTIONS
    | lexicon.MODALS
    | lexicon.BE
    | lexicon.SUBORDINATORS
    | {
        "defaulting",
        "defaults",
        "default",
        "optional",
        "maximum",
        "minimum",
        "max",
        "min",
        "either",
        "plus",
        "not",
        "=",
        "being",
        "ranging",
        "limited",
        "starting",
        "measured",
        "expressed",
        "formatted",
        "given",
        "called",
        "named",
        "each",
        "which",
        "initially",
        "belonging",
        "assigned",
        "used",
        "including",
        "such",
        "they",
        "he",
        "she",
    }
) - {"about"}
_FILLER: Final = lexicon.words(
    "a an the be is are was must should shall will can has have to also as in with and , ; of it they that "
    "which its their either always being been value values field set given : one for only but at any by so "
    "whose never must-be text on long ranging characters character chars char letters letter stars star "
    "points digits digit when then initially"
)
_UNITS: Final = lexicon.words(
    "minute minutes hour hours day days second seconds week weeks month months year years euro euros eur "
    "dollar dollars usd gbp pound pounds cent cents kg kilogram kilograms kilo kilos gram grams g cm m mm km "
    "meter metre meters metres centimeters centimetres kilometer kilometre kilometers kilometres mile miles "
    "litre litres liter liters ml percent percentage celsius fahrenheit degree degrees bytes mb gb inches "
    "inch feet lb lbs m2 sqm m² km2 ha hectares acres watts mph currency points credits coins stars calories pages "
    "people words"
)


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


def items(tokens: Sequence[Token]) -> list[Item]:
    """Read a list of fields."""
    found: list[Item] = []
    i = 0
    while i < len(tokens):
        start = i
        i, optional = _skip_separators(tokens, i)
        if (asked := _asked(tokens, i)) is not None:
            found.append(asked[0])
            i = asked[1]
            continue
        if (pair := _pair(tokens, i)) is not None:
            found += pair[0]
            i = pair[1]
            continue
        if (flag := _whether(tokens, i) or _state(tokens, start)) is not None:
            found.append(flag[0])
            i = flag[1]
            continue
        if i >= len(tokens):
            break
        if len(found) > 1 and tokens[i - 1].low == "both" and (behind := _of_both(tokens, i, found[-2:])) is not None:
            i = behind
            continue
        item, end = _item(tokens, i)
        if item is not None:
            if optional:
                item.field.required = False
            found.append(item)
            _share_bracket(tokens, i, end, found)
        i = max(end, start + 1, i + (item is None))
    return found


def _share_bracket(tokens: Sequence[Token], start: int, end: int, found: Sequence[Item]) -> None:
    """Let what "left points and right points (both 0 to 15)" says of both hold for the first one too."""
    both = next((j for j in range(start + 1, end) if tokens[j].low == "both" and tokens[j - 1].text == "("), None)
    if both is not None and len(found) > 1:
        attributes(tokens, both + 1, found[-2].field)


def _of_both(tokens: Sequence[Token], i: int, pair: Sequence[Item]) -> int | None:
    """Read "both required" and "both between -20 and 20" into the two fields before."""
    if tokens[i].low in _PRE_ATTRIBUTES:
        for item in pair:
            _adjective(item.field, tokens[i].low)
        return next((j for j in range(i, len(tokens)) if tokens[j].text in {",", ";"}), len(tokens))
    ends = [attributes(tokens, i, item.field) for item in pair]
    return ends[0] if ends[0] > i else None


_ENDINGS: Final = lexicon.words("leave end return finish close complete stop resolve cancel come")


def _asked(tokens: Sequence[Token], at: int) -> tuple[Item, int] | None:
    """Read "which vehicle stands on which spot" and "when it left" as what is recorded: a vehicle, a moment."""
    if (many := _how_many(tokens, at)) is not None:
        return many
    if at + 1 >= len(tokens) or tokens[at].low not in {"which", "when", "who"}:
        return None
    if tokens[at].low == "who":
        behind = next((i for i in range(at + 1, min(at + 4, len(tokens))) if tokens[i].low == "which"), None)
        person = Item(DraftField("person", words=("person",)), tuple(tokens[at : at + 1]), determined=True)
        return (person, behind) if behind is not None else None
    end = next((i for i in range(at + 1, len(tokens)) if tokens[i].low in _SEPARATORS | {"which", "when"}), len(tokens))
    while end < len(tokens) and tokens[end - 1].low in lexicon.PREPOSITIONS:
        end -= 1
    said = list(tokens[at + 1 : end])
    if tokens[at].low == "which":
        noun = next((i for i, t in enumerate(said) if t.low in _STOPS or (i and t.verb is not None)), len(said))
        if not 0 < noun <= 3 or not all(t.is_word for t in said[:noun]):
            return None
        core = [*[t.low for t in said[: noun - 1]], said[noun - 1].singular]
        return Item(DraftField(morphology.name(*core), words=tuple(core)), tuple(tokens[at:end]), determined=True), end
    verb = next((t.verb for t in reversed(said) if t.verb is not None and t.low not in lexicon.BE | lexicon.HAVE), None)
    if verb is None and said and said[-1].low.endswith("ed"):
        verb = morphology.guessed_base(said[-1].low)
    if verb is None or said[0].low not in lexicon.PRONOUNS | lexicon.DETERMINERS:
        return None
    name = morphology.name(morphology.participle(verb), "at")
    item = DraftField(name, FieldType.DATETIME, required=False if verb in _ENDINGS else None, words=(name,))
    return Item(item, tuple(tokens[at:end]), determined=True), end


def _how_many(tokens: Sequence[Token], at: int) -> tuple[Item, int] | None:
    """Read "how many guests come" as the number of guests."""
    behind = quantities.phrase(tokens, at, "how many")
    if behind is None or behind >= len(tokens) or not morphology.is_plural(tokens[behind].low):
        return None
    end = next((i for i in range(behind + 1, len(tokens)) if tokens[i].low in _SEPARATORS), len(tokens))
    core = (tokens[behind].low,)
    item = DraftField(morphology.name(*core), FieldType.INTEGER, minimum=0, words=("number", "of", *core))
    return Item(item, tuple(tokens[at:end]), determined=True), end


_PAIRED: Final = lexicon.words(
    "opening start first home billing minimum birth starting departure check-in origin source arrival begin "
    "given low lower min maximum white sender"
)


def _pair(tokens: Sequence[Token], at: int) -> tuple[list[Item], int] | None:
    """Read "opening and closing times" and "a first and last name" as two fields."""
    i = at
    while i < len(tokens) and tokens[i].low in lexicon.DETERMINERS | {"both", "its"}:
        i += 1
    if i + 3 >= len(tokens) or tokens[i].low not in _PAIRED or tokens[i + 1].low != "and":
        return None
    shift = tokens[i + 2].low in {"a", "an", "the"}
    head_at = i + 3 + shift
    if head_at >= len(tokens):
        return None
    first, second, head = tokens[i], tokens[head_at - 1], tokens[head_at]
    if second.low in lexicon.DETERMINERS or not second.is_word or not head.is_word or head.low in _STOPS:
        return None
    item = Item(
        DraftField(morphology.name(first.low, head.singular), words=(first.low, head.singular)),
        (first,),
        determined=True,
    )
    other = Item(
        DraftField(morphology.name(second.low, head.singular), words=(second.low, head.singular)),
        (second, head),
        determined=True,
    )
    end = attributes(tokens, head_at + 1, other.field)
    item.field = replace(other.field, name=item.field.name, words=item.field.words)
    return [item, other], end


def _state(tokens: Sequence[Token], at: int) -> tuple[Item, int] | None:
    """Read "and can be open or closed" among fields as the state that a thing is in."""
    i = at
    while i < len(tokens) and tokens[i].low in {"and", ",", "it", "they", "which", "that"}:
        i += 1
    start = i
    while i < len(tokens) and tokens[i].low in lexicon.BE | {"can", "may", "either"}:
        i += 1
    if i == start or not any(t.low in lexicon.BE for t in tokens[start:i]):
        return None
    read = enumerations.until_or(tokens, i)
    if read is None or len(read[0]) < _SEVERAL or enumerations.boolean(read[0]):
        return None
    item = DraftField("status", FieldType.ENUM, values=tuple(dict.fromkeys(read[0])), words=("status",))
    return Item(item, tuple(tokens[start : read[1]]), determined=True), read[1]


_WHETHER_WORDS: Final = lexicon.words("it they he she currently already can or not")


def _whether(tokens: Sequence[Token], at: int) -> tuple[Item, int] | None:
    """Read "whether it is active" and "a flag saying whether they are vegetarian" as a yes-or-no field."""
    word = next((i for i in range(at, min(at + 7, len(tokens))) if tokens[i].low == "whether"), None)
    if word is None or any(t.text in {",", "("} or t.low in {"and", "or"} for t in tokens[at:word]):
        return None
    i = word + 1
    while i < len(tokens) and (tokens[i].low in lexicon.DETERMINERS | lexicon.BE | lexicon.HAVE | _WHETHER_WORDS):
        i += 1
    core: list[str] = []
    while i < len(tokens) and tokens[i].is_word and tokens[i].low not in _STOPS and len(core) < 3:
        core.append(tokens[i].low)
        i += 1
    if len(core) > 1 and i > word + 1 and morphology.is_participle(core[-1]):
        core = core[-1:]
    deed = next((j for j in range(i, min(i + 3, len(tokens))) if tokens[j].low not in lexicon.BE | lexicon.HAVE), i)
    if core and deed > i and deed < len(tokens) and morphology.is_participle(tokens[deed].low):
        core, i = [*core, tokens[deed].low], deed + 1
    if not core:
        return None
    item = Item(
        DraftField(morphology.name(*core), FieldType.BOOLEAN, words=tuple(core)), tuple(tokens[at:i]), determined=True
    )
    return item, attributes(tokens, i, item.field)


_SKIP_SEPARATORS_WORDS: Final = lexicon.words(
    "also with has have the its their following : or \u2013 — - maybe may can includes including both fields "
    "attributes properties"
)


def _skip_separators(tokens: Sequence[Token], i: int) -> tuple[int, bool]:
    optional = False
    while i < len(tokens):
        token = tokens[i]
        if token.low in {"optionally", "possibly"}:
            optional = True
        elif (
            end := quantities.phrase(tokens, i, "as well as")
            or quantities.phrase(tokens, i, "along with")
            or quantities.phrase(tokens, i, "together with")
            or quantities.phrase(tokens, i, "such as")
            or quantities.phrase(tokens, i, "in addition to")
        ) is not None:
            i = end
            continue
        elif token.low not in _SEPARATORS | _SKIP_SEPARATORS_WORDS or _plus_one(tokens, i):
            break
        i += 1
    return i, optional


def _plus_one(tokens: Sequence[Token], at: int) -> bool:
    """Whether "plus one" is whom a guest brings, rather than one more of the list."""
    end = quantities.phrase(tokens, at, "plus one")
    return end is not None and (end >= len(tokens) or not tokens[end].is_word or tokens[end].low in _STOPS)


def _item(tokens: Sequence[Token], at: int) -> tuple[Item | None, int]:
    i, item = at, Item(DraftField(""), ())
    i = _premodifiers(tokens, i, item)
    core, i = _core(tokens, i, item)
    if not core:
        return None, i
    core, i = _bare_enumeration(tokens, core, i, item)
    if item.plural:
        core = [*core[:-1], morphology.plural(morphology.singular(core[-1]))]
    item.field.words = tuple(core)
    item.field.name = morphology.name(*core)
    i = attributes(tokens, i, item.field, item.left)
    if (example := _example(tokens, i)) is not None:
        i = attributes(tokens, example, item.field, item.left)
    if item.determined and (apposed := _apposed(tokens, i, item.field)) is not None:
        i = apposed
    if i < len(tokens) and tokens[i].low in {"where", "when", "who", "which", "that", "it", "they", "he", "she"}:
        i = next(
            (j for j in range(i, len(tokens)) if tokens[j].text in {",", ";"} or tokens[j].low == "and"), len(tokens)
        )
    if item.field.per:
        item.field.name = morphology.name(item.field.name, "per", item.field.per)
    item.tokens = tuple(tokens[at:i])
    return item, i


_CHOSEN: Final = lexicon.words(
    "result outcome status state type kind level size class category priority condition mode grade colour color "
    "gender quality season shift direction side"
)


def _apposed(tokens: Sequence[Token], at: int, target: DraftField) -> int | None:
    """Read "a result, passed or failed, and …": the values stand behind a comma."""
    if at >= len(tokens) or tokens[at].text != "," or target.values or target.type is not None:
        return None
    read = enumerations.until_or(tokens, at + 1)
    if read is None or tokens[at + 1].low in lexicon.CONJUNCTIONS:
        return None
    done = all(morphology.is_participle(value.split()[0].lower()) for value in read[0])
    closed = read[1] >= len(tokens) or tokens[read[1]].low in _SEPARATORS
    if not closed or not (done or target.name.split("_")[-1] in _CHOSEN):
        return None
    _enumerate(target, read[0])
    return read[1]


_EXAMPLES: Final = ("e.g.", "eg", "i.e.", "for example", "for instance", "such as", "like")


def _example(tokens: Sequence[Token], at: int) -> int | None:
    """Pass over an example behind a field, with the commas around it: ", e.g. "A12", unique on its floor"."""
    i = at + (at < len(tokens) and tokens[at].text == ",")
    behind = next((e for words in _EXAMPLES if (e := quantities.phrase(tokens, i, words)) is not None), None)
    if behind is None or behind >= len(tokens) or (tokens[behind].kind is Kind.WORD and tokens[behind].low.islower()):
        return None
    end = next((j for j in range(behind, len(tokens)) if tokens[j].text in {",", ";", "("}), len(tokens))
    comma = end < len(tokens) and tokens[end].text == "," and _continues(tokens, end + 1)
    return end + 1 if comma else end


def _premodifiers(tokens: Sequence[Token], i: int, item: Item) -> int:
    while i < len(tokens):
        token = tokens[i]
        following = tokens[i + 1] if i + 1 < len(tokens) else None
        bound = (
            quantities.bound(tokens, i)
            if token.low not in {"positive", "non-negative", "nonnegative", "negative"}
            else None
        )
        if (
            end := quantities.phrase(tokens, i, "one or more") or quantities.phrase(tokens, i, "zero or more")
        ) is not None:
            item.many, item.determined, i = True, True, end
            continue
        if token.low in lexicon.DETERMINERS:
            item.determined = True
            item.many = item.many or token.low in {"many", "several", "multiple", "some", "various", "any"}
        elif (
            following is not None
            and bound is not None
            and bound[1] < len(tokens)
            and tokens[bound[1]].kind is Kind.WORD
            and tokens[bound[1]].low not in _STOPS
        ):
            item.bound, item.determined = bound[0], True
            item.many = item.many or bound[0].high is None or bound[0].high > 1
            item.plural = bound[0].high is None and tokens[bound[1] - 1].value == 1
            i = bound[1]
            continue
        elif (
            token.low in _PRE_ATTRIBUTES and following is not None and following.is_word and following.low not in _STOPS
        ):
            _adjective(item.field, token.low)
        elif not (
            token.low in _DROPPED and following is not None and following.is_word and following.low not in _STOPS
        ):
            break
        i += 1
    return i


def _adjective(target: DraftField, word: str) -> None:
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
        case _ if word in _TYPES:
            target.type = _TYPES[word]


def _odd_name(tokens: Sequence[Token], i: int) -> tuple[list[str], int] | None:
    """Read names that are no nouns: "plus one", "from", "until date"."""
    if (end := quantities.phrase(tokens, i, "plus one")) is not None:
        return ["plus", "one"], end
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
        at + 1 >= len(tokens) or not tokens[at + 1].is_word or tokens[at + 1].low in _STOPS
    )


_WHEN: Final = frozenset({"date", "day", "time"})
_SPANS: Final = frozenset({"from", "until", "to", "till", "through"})
_CORE_WORDS: Final = lexicon.words("default minimum maximum min max optional starting assigned used measured limited")


def _core(tokens: Sequence[Token], i: int, item: Item) -> tuple[list[str], int]:
    """Read the words of a name."""
    core: list[str] = []
    if (odd := _odd_name(tokens, i)) is not None:
        return odd
    while i < len(tokens):
        token = tokens[i]
        if token.kind is Kind.POSSESSIVE:
            i += 1
            continue
        if not token.is_word or (core and _stops(tokens, i)) or (not core and token.low in _STOPS - _CORE_WORDS):
            break
        if core and token.low in {"unique", "required", "mandatory"}:
            break
        core.append(token.low if token.kind is Kind.WORD else token.text)
        i += 1
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
    return _unwrapped(tokens, _without_unit(core, item), i, item)


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
            and tokens[i + 1].low not in _STOPS
            and token.low != "optional"
        )
    return (
        token.low in _STOPS
        or token.low in lexicon.ARTICLES
        or (token.value is not None and token.kind is not Kind.QUOTED)
    )


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
        or tokens[following].low in _STOPS
    ):
        return core, i
    inner, end = _core(tokens, following, item)
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


def _bare_enumeration(tokens: Sequence[Token], core: list[str], i: int, item: Item) -> tuple[list[str], int]:
    """Read "priority low, medium or high": the last word of the name is the first value."""
    if len(core) > 1 and i + 1 < len(tokens) and tokens[i].text == "/":
        values, end = [core[-1]], i
        while end + 1 < len(tokens) and tokens[end].text == "/":
            value, after = enumerations.one(tokens, end + 1)
            if value is None:
                break
            values.append(value)
            end = after
        item.field.values = tuple(values)
        return core[:-1], end
    if len(core) < 2 or i >= len(tokens) or tokens[i].low not in {",", "or"}:
        return core, i
    read = enumerations.until_or(tokens, i - 1)
    if read is None:
        return core, i
    values, end = read
    item.field.values = tuple(values)
    return core[:-1], end


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
        if end is None and token.text == "," and _continues(tokens, i + 1):
            end = i + 1
        if end is None and token.low in {"and", "but"} and _continues(tokens, i + 1) and i > at:
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
    said = list(tokens[at + 1 : end])
    while said and (said[0].low in lexicon.ARTICLES | {"it", "this"} or morphology.name(said[0].low) in target.words):
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
    return min(end + 1, len(tokens))


_CONTINUES_WORDS: Final = lexicon.words(
    "default defaulting defaults starting starts beginning optional unique required at up between initially not never "
    "non-negative"
)


def _continues(tokens: Sequence[Token], i: int) -> bool:
    """Whether what stands behind a comma or "and" still speaks of the same field."""
    if i >= len(tokens):
        return False
    if tokens[i].low in {"which", "that", "who"}:
        return True
    probe = DraftField("probe")
    if _value_by_default(tokens, i, probe) is not None:
        return True
    bare = quantities.bound(tokens, i) if tokens[i].value is not None else None
    if bare is not None and not bare[0].exact and (bare[1] >= len(tokens) or tokens[bare[1]].text in {",", ")"}):
        return True
    if (
        tokens[i].value is not None
        and (end := _sizes(tokens, i, probe)) is not None
        and (probe.max_length or probe.min_length)
    ):
        return True
    if tokens[i].low in _CONTINUES_WORDS or tokens[i].low in lexicon.MODALS | lexicon.BE:
        end = _attribute(tokens, i, probe)
        return end is not None and not (
            end < len(tokens) and tokens[end].is_word and tokens[end].low not in _STOPS | _SEPARATORS | _FILLER
        )
    return False


def _attribute(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    token = tokens[i]
    for reader in (
        _present,
        _formula,
        _compared,
        _default,
        _uniqueness,
        _requirement,
        _named_type,
        _sizes,
        _unit,
        _role,
        _helper,
        _said_values,
    ):
        end = reader(tokens, i, target)
        if end is not None:
            return end
    if token.low in {"per", "each"} and i + 1 < len(tokens) and tokens[i + 1].is_word:
        target.per = tokens[i + 1].low
        return i + 2
    return None


_COMPARED: Final = lexicon.words(
    "earlier later before after higher lower greater less more below above under over smaller larger longer shorter"
)
_ALONE: Final = lexicon.words("before after exceed below above under over")  # compare without "than"


def _compared(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "not earlier than the start date" and "which must not exceed the exam's maximum score"."""
    j = i
    passed = lexicon.BE | lexicon.MODALS | lexicon.NEGATIONS | {"which", "that", "on", "or", "no"}
    while j < len(tokens) and tokens[j].low in passed:
        j += 1
    if j >= len(tokens) or tokens[j].low not in _COMPARED | {"exceed"}:
        return None
    k = j + 1 + (j + 1 < len(tokens) and tokens[j + 1].low == "than")
    if k == j + 1 and tokens[j].low not in _ALONE:
        return None
    if k + 1 >= len(tokens) or tokens[k].low not in lexicon.ARTICLES or quantities.bound(tokens, k) is not None:
        return None
    end = next(
        (
            n
            for n in range(k, len(tokens))
            if tokens[n].text in {",", ";", ")"} or (tokens[n].low == "and" and n > k + 1)
        ),
        len(tokens),
    )
    target.compared = tuple(tokens[i:end])
    return end


_COMPUTING: Final = lexicon.words("times multiplied x \u00d7 * plus minus product")
_ORIGINS: Final = (
    "which is calculated as", "that is calculated as", "which is computed as", "calculated as", "computed as",
    "calculated from", "computed from", "which is the", "that is the", "which equals", "that equals", "equal to",
    "which is", "that is", "being the", "=", ":",
)  # fmt: skip


def _formula(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "which is the quantity times the unit price" and "that is 30 days after the issue date"."""
    opened = next((e for words in _ORIGINS if (e := quantities.phrase(tokens, i, words)) is not None), None)
    bare = quantities.duration(tokens, i)
    start = opened if opened is not None else i
    if opened is None and (bare is None or bare[1] >= len(tokens) or tokens[bare[1]].low != "after"):
        return None
    end = next(
        (
            j
            for j in range(start, len(tokens))
            if tokens[j].text in {",", ";"}
            or (tokens[j].low == "and" and j + 1 < len(tokens) and tokens[j + 1].low in {"a", "an"})
        ),
        len(tokens),
    )
    said = tokens[start:end]
    length = quantities.duration(tokens, start)
    follows = length is not None and length[1] < end and tokens[length[1]].low in {"after", "from"}
    if not follows and not any(t.low in _COMPUTING for t in said):
        return None
    target.formula = tuple(said)
    return end


_NOW: Final = frozenset({"today", "now", "current"})
_WHEN_ABSENT: Final = (
    "if not given", "unless stated otherwise", "unless otherwise stated", "unless specified otherwise",
    "unless otherwise specified", "if it is left out", "if it is omitted", "if it is missing",
    "if none is given", "if nothing is given", "if left out", "if omitted", "if not specified",
    "when not given", "when omitted", "unless given", "by default", "if it is not given", "if empty", "as default",
    "if not provided",
)  # fmt: skip


def _present(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "today if not given" and "defaults to now": the field is the present when it is left out."""
    at, opened = i, False
    for words in ("which defaults to", "that defaults to", "defaulting to", "defaults to", "default is", "default"):
        end = quantities.phrase(tokens, i, words)
        if end is not None:
            at, opened = end + (end < len(tokens) and tokens[end].low == ":"), True
            break
    while at < len(tokens) and tokens[at].low in {"the", "is", "that", "which"}:
        at += 1
    if at >= len(tokens) or tokens[at].low not in _NOW:
        return None
    at += 1 + (tokens[at].low == "current")
    for words in _WHEN_ABSENT:
        end = quantities.phrase(tokens, at, words)
        if end is not None:
            at, opened = end, True
            break
    if opened:
        target.presumed = True
        target.required = False
    return at if opened else None


def _default(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    for words in (
        "with a default value of",
        "with a default of",
        "with default value",
        "with default",
        "with the default value",
        "with the default",
        "defaulting to",
        "that defaults to",
        "which defaults to",
        "defaults to",
        "default to",
        "default value of",
        "default is",
        "default value",
        "default :",
        "default =",
        "by default",
        "default",
        "initially",
        "starting as",
        "starts as",
        "starts at",
        "starting at",
        "starting with",
        "beginning at",
        "which starts at",
        "that starts at",
        "that starts as",
        "which starts as",
    ):
        end = quantities.phrase(tokens, i, words)
        if end is None:
            continue
        while end < len(tokens) and tokens[end].low in {"is", "of", ":", "=", "the"}:
            end += 1
        if (read := quantities.number(tokens, end)) is not None:
            target.default = read[0]
            return read[1]
        if end < len(tokens) and tokens[end].low in {"yes", "no", "true", "false"}:
            target.default = _scalar(tokens[end].low)
            return end + 1
        value, after = enumerations.one(tokens, end)
        if value is None:
            return end if words == "by default" else None
        target.default = _scalar(value)
        return after
    if (value_end := _value_by_default(tokens, i, target)) is not None:
        return value_end
    return _value_when_absent(tokens, i, target)


def _value_when_absent(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "5 if not given" and "low unless given"."""
    i += tokens[i].low == "of"
    read = quantities.number(tokens, i)
    value, after = read if read is not None else enumerations.one(tokens, i)
    after += read is not None and after < len(tokens) and tokens[after].low in _UNITS
    if value is None or after == i or (read is None and after - i > 1):
        return None
    end = next((e for words in _WHEN_ABSENT if (e := quantities.phrase(tokens, after, words)) is not None), None)
    if end is not None:
        target.default = value if read is not None else _scalar(str(value))
    return end


def _value_by_default(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "draft by default" and "true by default"."""
    for end in range(i + 1, min(i + 4, len(tokens))):
        behind = next((e for words in _AT_FIRST if (e := quantities.phrase(tokens, end, words)) is not None), None)
        if behind is not None and all(t.is_word or t.value is not None for t in tokens[i:end]):
            words = [t for t in tokens[i:end] if t.low not in _FILLER]
            if [t.low for t in words] in _NOTHING:
                target.required = False
                return behind
            if len(words) == 1 or (words and not {"yes", "no", "true", "false"} & {t.low for t in words}):
                value = quantities.number(words, 0)
                target.default = value[0] if value else _scalar(" ".join(t.low for t in words))
                return behind
    return None


_NOTHING: Final = (["empty"], ["blank"], ["unset"], ["missing"], ["unknown"])
_AT_FIRST: Final = ("by default", "at first", "in the beginning", "to begin with")


def _scalar(value: str) -> str | bool:
    return {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}.get(value, value)


def _uniqueness(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    exclusive = _exclusive(tokens, i)
    if exclusive is not None:
        target.unique = True
        return exclusive
    if (
        tokens[i].low not in {"unique", "distinct", "uniquely", "unique-per"}
        and quantities.phrase(tokens, i, "no duplicates") is None
    ):
        return None
    end = i + 1
    for words in (
        "within the same",
        "within a",
        "within an",
        "within the",
        "within each",
        "within its",
        "within their",
        "within",
        "per",
        "for each",
        "for every",
        "for a",
        "inside a",
        "inside the",
        "among the",
        "in the same",
        "in a",
        "in an",
        "in each",
        "in its",
        "by",
        "on its",
        "on the",
        "on a",
        "on each",
        "across the",
        "for the same",
        "amongst",
    ):
        after = quantities.phrase(tokens, end, words)
        if (
            after is not None
            and after < len(tokens)
            and tokens[after].is_word
            and tokens[after].low not in {"all", "system", "application"}
        ):
            target.unique_per, target.unique = (tokens[after].singular,), False
            end = after + 1
            if (
                end + 1 < len(tokens)
                and tokens[end].low == "and"
                and tokens[end + 1].is_word
                and tokens[end + 1].low not in lexicon.DETERMINERS
                and words in {"per", "within"}
                and len(tokens) == end + 2
            ):
                target.unique_per = (*target.unique_per, tokens[end + 1].singular)
                end += 2
            return end
    for words in ("across all", "in the system", "across the system", "among all", "in all", "across"):
        if (after := quantities.phrase(tokens, end, words)) is not None:
            end = after + (after < len(tokens) and tokens[after].is_word)
    target.unique = True
    return end


def _exclusive(tokens: Sequence[Token], i: int) -> int | None:
    """Read "which nobody else may have", "that no other member has", "not used by anyone else"."""
    j = i + (tokens[i].low in {"which", "that"})
    nobody = next((e for w in _NOBODY if (e := quantities.phrase(tokens, j, w)) is not None), None)
    if nobody is None and quantities.phrase(tokens, j, "no other") is not None and j + 2 < len(tokens):
        nobody = j + 3 if tokens[j + 2].is_word else None
    if nobody is None:
        return None
    end = nobody
    while end < len(tokens) and (
        tokens[end].low in lexicon.MODALS | lexicon.HAVE or tokens[end].verb in {"have", "use", "share"}
    ):
        end += 1
    return end if end > nobody else None


_NOBODY: Final = ("nobody else", "no one else", "noone else", "no-one else", "none else")


_REQUIREMENTS: Final[dict[str, tuple[str, object]]] = {
    "optional": ("required", False),
    "not required": ("required", False),
    "not mandatory": ("required", False),
    "nullable": ("required", False),
    "if any": ("required", False),
    "if they have one": ("required", False),
    "if they have any": ("required", False),
    "if it has one": ("required", False),
    "if it has any": ("required", False),
    "if there is one": ("required", False),
    "if there is any": ("required", False),
    "if given": ("required", False),
    "if available": ("required", False),
    ("if known"): ("required", False),
    "not be missing": ("required", True),
    "cannot be missing": ("required", True),
    "missing": ("required", False),
    "absent": ("required", False),
    "unknown at first": ("required", False),
    ("left empty"): ("required", False),
    ("left out"): ("required", False),
    "omitted": ("required", False),
    "required": ("required", True),
    "mandatory": ("required", True),
    "not be empty": ("min_length", 1),
    "not be blank": ("min_length", 1),
    ("not empty"): ("min_length", 1),
    ("not blank"): ("min_length", 1),
    ("cannot be empty"): ("min_length", 1),
    ("cannot be blank"): ("min_length", 1),
    ("never empty"): ("min_length", 1),
    "non-empty": ("min_length", 1),
    ("must-not be empty"): ("min_length", 1),
    ("must-not be blank"): ("min_length", 1),
    "present": ("required", True),
    "obligatory": ("required", True),
    "cannot be changed": ("immutable", True),
    "not be changed": ("immutable", True),
    "never changes": ("immutable", True),
    ("never change"): ("immutable", True),
    ("not change"): ("immutable", True),
    ("cannot change"): ("immutable", True),
    "immutable": ("immutable", True),
    "read-only": ("immutable", True),
    ("cannot be modified"): ("immutable", True),
    "fixed": ("immutable", True),
    ("cannot be edited"): ("immutable", True),
    ("cannot be updated"): ("immutable", True),
    ("not be modified"): ("immutable", True),
    ("not be edited"): ("immutable", True),
}


def _requirement(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    for words, (name, value) in _REQUIREMENTS.items():
        end = quantities.phrase(tokens, i, words)
        if end is not None:
            setattr(target, name, value)
            if name == "immutable":
                for trailer in (
                    "once set",
                    "after creation",
                    "once created",
                    "afterwards",
                    "later",
                    "after it is created",
                    "once it is set",
                    "once it has been created",
                    "after it has been created",
                ):
                    end = quantities.phrase(tokens, end, trailer) or end
            return end
    return None


def _named_type(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    if [t.low for t in tokens[i : i + 3]] in (["yes", "/", "no"], ["true", "/", "false"], ["yes", "or", "no"]):
        target.type = FieldType.BOOLEAN
        return i + 3
    j = i
    while j < len(tokens) and tokens[j].low in {"as", "a", "an", "is", ":", "valid", "in"}:
        j += 1
    if j < len(tokens) and tokens[j].low == "iso" and j > i:
        return j + 2
    if (
        j >= len(tokens)
        or tokens[j].low not in _TYPES
        or (j == i and i > 0 and tokens[i - 1].is_word and tokens[i - 1].low not in _FILLER)
    ):
        return None
    if j > i and tokens[j].low == "number" and j + 1 < len(tokens) and tokens[j + 1].low == "of":
        return None
    target.type = _TYPES[tokens[j].low]
    if tokens[j].low in {"percentage", "percent"} and target.minimum is None:
        target.minimum, target.maximum = 0, 100
    if tokens[j].low == "whole" and j + 1 < len(tokens) and tokens[j + 1].singular == "number":
        j += 1
    return j + 1


_SIZES_WORDS: Final = lexicon.words(
    "of with from within a an the must be has have is and in cannot consists consist contain use not should "
    "length range may can ranging never go must-not measured value whole number integer contains exceed on "
    "scale minimum maximum max min : fall drop sink rise get become"
)


def _sizes(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read bounds of a value or of a length."""
    if tokens[i].low == "and":
        return None
    j = i
    while j < len(tokens) and tokens[j].low in _SIZES_WORDS:
        read = quantities.bound(tokens, j)
        if read is not None:
            break
        j += 1
    read = quantities.bound(tokens, j)
    if read is None or (
        j == i and read[0].exact and i > 0 and tokens[i - 1].is_word and tokens[i - 1].low == "default"
    ):
        return None
    bound, end = read
    if (
        any(t.low in {"cannot", "not", "never", "must-not"} for t in tokens[i:j])
        and not bound.exact
        and tokens[j].low not in {"at", "up", "no"}
    ):
        bound = bound.negated()
    if any(t.low in {"integer", "whole"} for t in tokens[i:j]):
        target.type = FieldType.INTEGER
    return apply_bound(tokens, end, bound, target, has_length=any(t.low == "length" for t in tokens[i:j]))


def _repeated(characters: str, limits: quantities.Bound) -> str:
    """Write a pattern for so many of some characters."""
    low = int(limits.low or 1)
    high = "" if limits.high is None else str(int(limits.high))
    return f"^[{characters}]{{{low}}}$" if high == str(low) else f"^[{characters}]{{{low},{high}}}$"


def apply_bound(
    tokens: Sequence[Token], end: int, bound: quantities.Bound, target: DraftField, *, has_length: bool = False
) -> int | None:
    """Put a bound on the field's value, or on its length when characters are spoken of."""
    start = end
    if end < len(tokens) and tokens[end].text == "-":
        end += 1
    letters = {
        "uppercase": "A-Z",
        "upper-case": "A-Z",
        "capital": "A-Z",
        "lowercase": "a-z",
        "lower-case": "a-z",
        "alphanumeric": "A-Za-z0-9",
    }.get(tokens[end].low if end < len(tokens) else "")
    if letters and end + 1 < len(tokens) and tokens[end + 1].singular in {"letter", "character"}:
        target.type = FieldType.STRING
        target.pattern = _repeated(letters, bound.whole())
        end += 1
    unit = tokens[end].singular if end < len(tokens) else ""
    if unit in {"character", "char", "letter", "digit", "symbol"} or has_length:
        limits = bound.whole()
        target.min_length = int(limits.low) if limits.low is not None else target.min_length
        target.max_length = max(1, int(limits.high)) if limits.high is not None else target.max_length
        if unit == "digit" and target.type in {None, FieldType.STRING}:
            target.type = FieldType.STRING
            target.pattern = _repeated("0-9", bound.whole())
        end += unit in {"character", "char", "letter", "digit", "symbol"}
        return end + (end < len(tokens) and tokens[end].low in {"long", "each", "maximum", "max"})
    if bound.exact and start == end and unit not in _UNITS:
        return None
    target.minimum, target.exclusive_minimum = (
        (bound.low, bound.low_open) if bound.low is not None else (target.minimum, target.exclusive_minimum)
    )
    target.maximum, target.exclusive_maximum = (
        (bound.high, bound.high_open) if bound.high is not None else (target.maximum, target.exclusive_maximum)
    )
    if unit in _UNITS | {"star", "point"} or (end < len(tokens) and tokens[end].low in _UNITS):
        end += 1
    return end


def _unit(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "in minutes", "in euros", "as a percentage", "in the currency of the shop" (the unit only describes)."""
    if tokens[i].low in {"in", "measured", "expressed", "given"} and i + 1 < len(tokens):
        j = i + 1 + (tokens[i + 1].low in {"in", "as"})
        j += j + 1 < len(tokens) and tokens[j].low in {"square", "cubic", "whole", "full", "us"}
        if j < len(tokens) and tokens[j].low in _UNITS:
            target.description = f"In {tokens[j].low}."
            if target.type is None and tokens[j].low in {
                "minutes",
                "hours",
                "days",
                "seconds",
                "weeks",
                "months",
                "years",
            }:
                target.type, target.minimum = FieldType.INTEGER, 0 if target.minimum is None else target.minimum
            elif target.type is None and tokens[j].low != "cents":
                target.type = FieldType.DECIMAL
            return j + 1
        if j < len(tokens) and _measure(tokens, j):
            target.description = f"In {tokens[j].text}."
            target.type = target.type or FieldType.DECIMAL
            return j + 1
    return None


def _measure(tokens: Sequence[Token], at: int) -> bool:
    """Whether an unknown word behind "in" is a unit: "in millilitres", "in IBU", "in kWh"."""
    token = tokens[at]
    if token.kind is not Kind.WORD or not (
        at + 1 >= len(tokens) or not tokens[at + 1].is_word or _ends_unit(tokens, at + 1)
    ):
        return False
    return any(c.isupper() for c in token.text[1:]) or token.low.startswith(_PREFIXES) or token.low.endswith(_MEASURES)


def _ends_unit(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at].low in _STOPS | _SEPARATORS or quantities.bound(tokens, at) is not None


_PREFIXES: Final = ("milli", "centi", "kilo", "mega", "micro", "nano", "hecto")
_MEASURES: Final = (
    "metres", "meters", "litres", "liters", "grams", "watts", "volts", "hertz", "bytes", "tonnes", "tons", "ounces",
    "gallons", "yards", "calories", "joules", "decibels", "degrees", "hectares", "inches", "francs", "crowns", "kronor",
    "yen", "rupees", "knots", "amps", "lumens", "bar", "pixels", "pages", "lines", "rows", "centuries", "decades",
)  # fmt: skip


_ROLE_WORDS: Final = lexicon.words("be a an one the of also itself another")


def _role(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "who is a member" and "which refers to a member"."""
    if (
        tokens[i].low not in {"who", "which", "that"}
        or i + 3 > len(tokens)
        or tokens[i + 1].low not in {"is", "must", "are"}
    ):
        return None
    start = next(
        (j for j in range(i + 2, min(i + 5, len(tokens))) if tokens[j].low not in _ROLE_WORDS),
        None,
    )
    if start is None or not tokens[start].is_word or tokens[start - 1].low not in {"a", "an", "the"}:
        return None
    end = next(
        (
            j
            for j in range(start, len(tokens))
            if not tokens[j].is_word or tokens[j].low in lexicon.CONJUNCTIONS | lexicon.PREPOSITIONS
        ),
        len(tokens),
    )
    target.role_of = (*[t.low for t in tokens[start : end - 1]], tokens[end - 1].singular)
    return end


_HELPER_WORDS: Final = lexicon.words(
    "must should shall will may can has have to also always needs it they left valid both"
)


def _helper(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Pass over "that is", "which must be", "must be": what follows is an attribute."""
    j = i
    if tokens[j].low in {"which", "that"}:
        j += 1
    while (
        j < len(tokens)
        and tokens[j].low in (lexicon.BE | _HELPER_WORDS)
        and not (j > i and _requirement(tokens, j, replace(target)) is not None)
    ):
        j += 1
    if j == i or j >= len(tokens):
        return None
    probe = replace(target)
    if _said_values(tokens, j, probe) is not None or any(
        r(tokens, j, probe) is not None for r in (_default, _uniqueness, _requirement, _sizes, _named_type)
    ):
        return j
    return None


def _said_values(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read the values of an enumeration behind "of", "which is", ":", "one of", "either"."""
    j = i
    while j < len(tokens) and tokens[j].low in {"of", ":", "=", "being", "is", "as", "from"}:
        j += 1
    opens = j > i or tokens[i].low in {"one", "either", "any"}
    behind_helper = i > 0 and tokens[i - 1].low in lexicon.BE | {":", "=", "being"}
    if j >= len(tokens) or not (opens or behind_helper):
        return None
    read = enumerations.enumeration(tokens, j) or enumerations.slashed(tokens, j)
    read = read or (enumerations.listed(tokens, j) if tokens[j - 1].text == ":" else None)
    if read is None or len(read[0]) < 2:
        return None
    if enumerations.boolean(read[0]):
        target.type = FieldType.BOOLEAN
    else:
        target.values = tuple(dict.fromkeys(read[0]))
    return read[1]


_PARENTHESISED_WORDS: Final = lexicon.words("e.g. i.e. example like such for eg etc")


_SEVERAL: Final = 2
_CHARACTERS: Final = {
    "letters": "A-Za-z",
    "digits": "0-9",
    "numbers": "0-9",
    "alphanumeric": "A-Za-z0-9",
    "underscores": "_",
    "hyphens": "\\-",
    "dashes": "\\-",
    "and": "",
    "or": "",
    "only": "",
}


def _parenthesised(tokens: Sequence[Token], target: DraftField, left: list[tuple[Token, ...]] | None) -> None:
    """Read what stands in brackets behind a field: attributes, or the values of an enumeration."""
    parts = _parts(tokens)
    bare: list[str] = []
    characters: set[str] = set()
    for part in parts:
        if _part(part, target, alone=len(parts) == 1) or (_exemplary(part) and not _like_value(part, parts)):
            continue
        if part and all(t.low in _CHARACTERS for t in part):
            characters |= {_CHARACTERS[t.low] for t in part}
            continue
        value, end = enumerations.one(part, 0)
        if value is None and part and part[0].low == "like":
            value, end = " ".join(t.low for t in part), len(part)
        if value is not None and end == len(part):
            bare.append(value)
        elif (chain := enumerations.until_or(part, 0)) is not None:
            bare += chain[0]
        elif left is not None and part:
            left.append(tuple(part))
    if any(characters):
        low, high = target.min_length or 1, target.max_length or ""
        target.type = FieldType.STRING
        target.pattern = f"^[{''.join(sorted(characters))}]{{{low},{high}}}$"
    if len(bare) > 1 and target.type in {None, FieldType.STRING, FieldType.ENUM}:
        _enumerate(target, bare)


def _exemplary(part: Sequence[Token]) -> bool:
    return bool(part) and part[0].low in _PARENTHESISED_WORDS


def _like_value(part: Sequence[Token], parts: Sequence[Sequence[Token]]) -> bool:
    """Whether "like new" is one of several values, rather than an example."""
    return part[0].low == "like" and len(parts) > _SEVERAL and len(part) == _SEVERAL and part is not parts[-1]


def _enumerate(target: DraftField, values: Sequence[str]) -> None:
    if enumerations.boolean(values):
        target.type = FieldType.BOOLEAN
    else:
        target.values = tuple(dict.fromkeys(values))


def _part(part: Sequence[Token], target: DraftField, *, alone: bool) -> bool:
    i = 0
    while i < len(part):
        chosen = part[i].low in {"one", "either"} and quantities.phrase(part, i, "one or more") is None
        end = _said_values(part, i, target) if chosen else _attribute(part, i, target)
        if end is None and part[i].low in _PRE_ATTRIBUTES:
            _adjective(target, part[i].low)
            end = i + 1
        if end is None and part[i].low in _UNITS and alone:
            target.description = f"In {part[i].low}."
            end = i + 1
        if end is None and part[i].low in _FILLER | {"per"} and i > 0:
            end = i + 1
        if end is None:
            return False
        i = end
    return True


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
