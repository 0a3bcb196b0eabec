"""Reads lists of fields into items."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import enumerations, lexicon, morphology, quantities
from functions.neuron.reading.draft import DraftField
from functions.neuron.reading.fields import (
    afterthoughts,
    ages,
    counts,
    enumerating,
    measures,
    naming,
    qualifiers,
    vocabulary,
)
from functions.neuron.reading.frames import close_of
from functions.neuron.reading.tokens import Kind
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token


def items(tokens: Sequence[Token]) -> list[naming.Item]:
    """Read a list of fields."""
    found: list[naming.Item] = []
    i = 0
    while i < len(tokens):
        start = i
        i, optional = _skip_separators(tokens, i)
        told = i - (start < i < len(tokens) and tokens[i - 1].low == "both")
        if (behind := afterthoughts.of_several(tokens, told, found)) is not None:
            i = behind
            continue
        if (read := _of_another_form(tokens, i, start)) is not None:
            found += read[0]
            i = read[1]
            continue
        if i >= len(tokens):
            break
        if found and any(reader(tokens, i) for reader in (_compares, _does, _in_steps, _is_written)):
            i = _leave(tokens, i, found[-1])
            continue
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


def _in_steps(tokens: Sequence[Token], at: int) -> bool:
    """Whether "in steps of six" begins here, which no field holds."""
    return tokens[at].low == "in" and at + 2 < len(tokens) and tokens[at + 1].low in _STEPS


def _is_written(tokens: Sequence[Token], at: int) -> bool:
    """Whether "stored in lower case" begins here, which names no field."""
    return tokens[at].low in {"stored", "written", "kept", "spelled"} and [t.low for t in tokens[at + 1 : at + 2]] == [
        "in"
    ]


_STEPS: Final = frozenset({"steps", "multiples", "increments"})
_DOING: Final = lexicon.words("hold contain take carry need store keep have include accept serve seat fit")


def _does(tokens: Sequence[Token], at: int) -> bool:
    """Whether the list goes on with what the thing does: "and hold dogs up to a given weight"."""
    if at + 1 >= len(tokens) or tokens[at].low not in _DOING or tokens[at - 1].low not in {"and", "but", "or"}:
        return False
    return morphology.is_plural(tokens[at + 1].low) and tokens[at + 1].verb is None


def _item_end(tokens: Sequence[Token], at: int) -> int:
    return next((j for j in range(at, len(tokens)) if tokens[j].low in vocabulary.SEPARATORS), len(tokens))


def _compares(tokens: Sequence[Token], at: int) -> bool:
    """Whether a comparison begins here that nobody has read: "and higher than every earlier bid on it"."""
    return at + 1 < len(tokens) and tokens[at].low.endswith("er") and tokens[at + 1].low == "than"


def _leave(tokens: Sequence[Token], at: int, item: naming.Item) -> int:
    """Note that what stands here is no field and was not read; gives where the list goes on."""
    end = next(
        (
            j
            for j in range(at + 1, len(tokens))
            if tokens[j].text in {",", ";"}
            or (tokens[j].low == "and" and j + 1 < len(tokens) and tokens[j + 1].low in lexicon.DETERMINERS)
        ),
        len(tokens),
    )
    item.left.append(tuple(tokens[at:end]))
    return end


def _of_another_form(tokens: Sequence[Token], at: int, start: int) -> tuple[list[naming.Item], int] | None:
    """Read what is listed in another form than by its name: an age, a question, a number of things, a yes or no.

    `start`: where the separators in front of it begin.
    """
    if (aged := ages.aged(tokens, at) or counts.usual(tokens, at)) is not None:
        return [aged[0]], aged[1]
    if (asked := _asked(tokens, at)) is not None:
        bracket = asked[1] < len(tokens) and tokens[asked[1]].text == "("
        return [asked[0]], qualifiers.attributes(tokens, asked[1], asked[0].field) if bracket else asked[1]
    if (pair := _pair(tokens, at)) is not None:
        return pair
    if (ends := _range_ends(tokens, at)) is not None:
        return ends
    for reader in (_when_due, _measured, _so_many, _whether):
        if (read := reader(tokens, at)) is not None:
            return [read[0]], read[1]
    told = _state(tokens, start) or _or_not(tokens, at)
    return ([told[0]], told[1]) if told is not None else None


def _or_not(tokens: Sequence[Token], at: int) -> tuple[naming.Item, int] | None:
    """Read "active or not" as a yes or no."""
    behind = next((i for i in (at + 1, at + 2) if quantities.phrase(tokens, i, "or not") is not None), None)
    end = behind + 2 if behind is not None else None
    if behind is None or end is None or end != _item_end(tokens, at) or not all(t.is_word for t in tokens[at:behind]):
        return None
    words = tuple(t.low for t in tokens[at:behind])
    if len(words) > 1 and words[-1] not in {"out", "off", "up", "in", "on"}:
        return None
    flag = DraftField(morphology.name(*words), FieldType.BOOLEAN, words=words)
    return naming.Item(flag, tuple(tokens[at:end]), determined=True), end


def _share_bracket(tokens: Sequence[Token], start: int, end: int, found: Sequence[naming.Item]) -> None:
    """Let what "left points and right points (both 0 to 15)" says of both hold for the first one too."""
    both = next((j for j in range(start + 1, end) if tokens[j].low == "both" and tokens[j - 1].text == "("), None)
    if both is not None and len(found) > 1:
        qualifiers.attributes(tokens, both + 1, found[-2].field)


def _of_both(tokens: Sequence[Token], i: int, pair: Sequence[naming.Item]) -> int | None:
    """Read "both required" and "both between -20 and 20" into the two fields before."""
    if tokens[i].low in vocabulary.PRE_ATTRIBUTES:
        for item in pair:
            naming.adjective(item.field, tokens[i].low)
        return next((j for j in range(i, len(tokens)) if tokens[j].text in {",", ";"}), len(tokens))
    ends = [qualifiers.attributes(tokens, i, item.field) for item in pair]
    return ends[0] if ends[0] > i else None


_ENDINGS: Final = lexicon.words("leave end return finish close complete stop resolve cancel come")


def _when_due(tokens: Sequence[Token], at: int) -> tuple[naming.Item, int] | None:
    """Read "when it is due", with what is said of it behind."""
    end = at + _DUE
    if [t.low for t in tokens[at:end] if t.low not in lexicon.PRONOUNS] != ["when", "is", "due"]:
        return None
    due = naming.Item(DraftField("due_at", FieldType.DATETIME, words=("due",)), tuple(tokens[at:end]), determined=True)
    return due, qualifiers.attributes(tokens, end, due.field)


_DUE: Final = 4


def _asked(tokens: Sequence[Token], at: int) -> tuple[naming.Item, int] | None:
    """Read "which vehicle stands on which spot" and "when it left" as what is recorded: a vehicle, a moment."""
    if (many := _how_many(tokens, at)) is not None:
        return many
    if (often := _how_often(tokens, at)) is not None:
        return often
    if at + 1 >= len(tokens) or tokens[at].low not in {"which", "when", "who"}:
        return None
    if tokens[at].low == "who":
        behind = next((i for i in range(at + 1, min(at + 4, len(tokens))) if tokens[i].low == "which"), None)
        person = naming.Item(DraftField("person", words=("person",)), tuple(tokens[at : at + 1]), determined=True)
        return (person, behind) if behind is not None else None
    end = next(
        (i for i in range(at + 1, len(tokens)) if tokens[i].low in vocabulary.SEPARATORS | {"which", "when", "("}),
        len(tokens),
    )
    while end < len(tokens) and tokens[end - 1].low in lexicon.PREPOSITIONS:
        end -= 1
    said = list(tokens[at + 1 : end])
    if tokens[at].low == "which":
        noun = next(
            (i for i, t in enumerate(said) if t.low in vocabulary.STOPS or (i and t.verb is not None)), len(said)
        )
        if not 0 < noun <= 3 or not all(t.is_word for t in said[:noun]):
            return None
        core = [*[t.low for t in said[: noun - 1]], said[noun - 1].singular]
        return naming.Item(
            DraftField(morphology.name(*core), words=tuple(core)), tuple(tokens[at:end]), determined=True
        ), end
    verb = next((t.verb for t in reversed(said) if t.verb is not None and t.low not in lexicon.BE | lexicon.HAVE), None)
    if verb is None and said and said[-1].low.endswith("ed"):
        verb = morphology.guessed_base(said[-1].low)
    if verb is None or said[0].low not in lexicon.PRONOUNS | lexicon.DETERMINERS:
        return None
    name = morphology.name(morphology.participle(verb), "at")
    item = DraftField(name, FieldType.DATETIME, required=False if verb in _ENDINGS else None, words=(name,))
    return naming.Item(item, tuple(tokens[at:end]), determined=True), end


def _how_often(tokens: Sequence[Token], at: int) -> tuple[naming.Item, int] | None:
    """Read "how often it needs water, in days (1 to 60)" as a number of days."""
    asked = next((w for w in ("how often", "how long") if quantities.phrase(tokens, at, w) is not None), None)
    comma = next((i for i in range(at, len(tokens)) if tokens[i].text in {",", "("} or tokens[i].low == "in"), None)
    if asked is None or comma is None:
        return None
    start = comma + (tokens[comma].text == ",")
    item = DraftField(morphology.name(asked), words=tuple(asked.split()))
    end = qualifiers.attributes(tokens, start, item)
    if end == start or item.type is not FieldType.INTEGER:
        return None
    return naming.Item(item, tuple(tokens[at:end]), determined=True), end


def _how_many(tokens: Sequence[Token], at: int) -> tuple[naming.Item, int] | None:
    """Read "how many guests come" as the number of guests."""
    behind = quantities.phrase(tokens, at, "how many")
    if behind is None or behind >= len(tokens) or not morphology.is_plural(tokens[behind].low):
        return None
    end = next((i for i in range(behind + 1, len(tokens)) if tokens[i].low in vocabulary.SEPARATORS), len(tokens))
    core = (tokens[behind].low,)
    item = DraftField(morphology.name(*core), FieldType.INTEGER, minimum=0, words=("number", "of", *core))
    end = qualifiers.attributes(tokens, end, item)
    return naming.Item(item, tuple(tokens[at:end]), determined=True), end


def _measured(tokens: Sequence[Token], at: int) -> tuple[naming.Item, int] | None:
    """Read "costs 5, 10 or 20 euros" where a list goes on with a verb of measure."""
    if at >= len(tokens) or not tokens[at].low.endswith("s"):
        return None
    read = measures.behind_verb(tokens, at + 1, tokens[at].verb or "")
    if read is None:
        return None
    return naming.Item(read[0], tuple(tokens[at : read[1]]), determined=True), read[1]


def _so_many(tokens: Sequence[Token], at: int) -> tuple[naming.Item, int] | None:
    """Read "2, 3 or 4 lanes" as a number of lanes."""
    item = DraftField("number")
    end = enumerating.numbers(tokens, at, item) if at < len(tokens) and tokens[at].value is not None else None
    if end is None or not item.description or not morphology.is_plural(tokens[end - 1].low):
        return None
    noun = tokens[end - 1].low
    item.name, item.words, item.description = morphology.name(noun), ("number", "of", noun), ""
    return naming.Item(item, tuple(tokens[at:end]), determined=True), end


def _range_ends(tokens: Sequence[Token], at: int) -> tuple[list[naming.Item], int] | None:
    """Read "a salary range (minimum salary and maximum salary)" as the two fields between which the range lies."""
    opened = next((i for i in range(at, min(at + 5, len(tokens))) if tokens[i].text == "("), None)
    if opened is None or opened == at or tokens[opened - 1].low not in {"range", "span", "interval", "period"}:
        return None
    close = close_of(tokens, opened)
    inner = items(tokens[opened + 1 : close])
    ends = [item for item in inner if set(item.field.words) & _ENDS_OF_RANGES]
    if len(ends) < enumerating.SEVERAL or any(item.field.values for item in ends):
        return None
    ends[-1].left += [item.tokens for item in inner if item not in ends]
    return ends[:2], close + 1


_ENDS_OF_RANGES: Final = lexicon.words(
    "minimum maximum min max lowest highest lower upper from to until start end first last begin beginning"
)
_PAIRED: Final = lexicon.words(
    "opening start first home billing minimum birth starting departure check-in origin source arrival begin "
    "given low lower min maximum white sender"
)


def _pair(tokens: Sequence[Token], at: int) -> tuple[list[naming.Item], int] | None:
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
    if second.low in lexicon.DETERMINERS or not second.is_word or not head.is_word or head.low in vocabulary.STOPS:
        return None
    if quantities.phrase(tokens, head_at, "number of") and head_at + 2 < len(tokens):  # "maximum number of players"
        return _numbers_of(tokens, (first, second), head_at + 2)
    item = naming.Item(
        DraftField(morphology.name(first.low, head.singular), words=(first.low, head.singular)),
        (first,),
        determined=True,
    )
    other = naming.Item(
        DraftField(morphology.name(second.low, head.singular), words=(second.low, head.singular)),
        (second, head),
        determined=True,
    )
    end = qualifiers.attributes(tokens, head_at + 1, other.field)
    item.field = replace(other.field, name=item.field.name, words=item.field.words)
    return [item, other], end


def _numbers_of(tokens: Sequence[Token], kinds: tuple[Token, Token], at: int) -> tuple[list[naming.Item], int] | None:
    """Read "a minimum and a maximum number of players": two whole numbers."""
    counted = tokens[at]
    if not morphology.is_plural(counted.low):
        return None
    found = []
    for kind in kinds:
        words = (kind.low, counted.low)
        field = DraftField(morphology.name(*words), FieldType.INTEGER, minimum=0, words=words)
        found.append(naming.Item(field, (kind, counted), determined=True))
    end = qualifiers.attributes(tokens, at + 1, found[1].field)
    found[0].field = replace(found[1].field, name=found[0].field.name, words=found[0].field.words)
    return found, end


def _state(tokens: Sequence[Token], at: int) -> tuple[naming.Item, int] | None:
    """Read "and can be open or closed" among fields as the state that a thing is in."""
    i = at
    while i < len(tokens) and tokens[i].low in {"and", ",", "it", "they", "which", "that"}:
        i += 1
    start = i
    while i < len(tokens) and tokens[i].low in lexicon.BE | {"can", "may", "either"}:
        i += 1
    if i == start or not any(t.low in lexicon.BE for t in tokens[start:i]):
        return None
    i += i < len(tokens) and tokens[i].low in {"a", "an"}  # "is a draft, open or closed"
    read = enumerations.until_or(tokens, i)
    if read is None or len(read[0]) < enumerating.SEVERAL or enumerations.boolean(read[0]):
        return None
    item = DraftField("status", FieldType.ENUM, values=tuple(dict.fromkeys(read[0])), words=("status",))
    return naming.Item(item, tuple(tokens[start : read[1]]), determined=True), read[1]


_WHETHER_WORDS: Final = lexicon.words("it they he she currently already can or not")


def _whether(tokens: Sequence[Token], at: int) -> tuple[naming.Item, int] | None:
    """Read "whether it is active" and "a flag saying whether they are vegetarian" as a yes-or-no field."""
    word = next((i for i in range(at, min(at + 7, len(tokens))) if tokens[i].low == "whether"), None)
    if word is None or any(t.text in {",", "("} or t.low in {"and", "or"} for t in tokens[at:word]):
        return None
    i = word + 1
    while i < len(tokens) and (tokens[i].low in lexicon.DETERMINERS | lexicon.BE | lexicon.HAVE | _WHETHER_WORDS):
        i += 1
    core: list[str] = []
    while i < len(tokens) and tokens[i].is_word and tokens[i].low not in vocabulary.STOPS and len(core) < 3:
        core.append(tokens[i].low)
        i += 1
    if len(core) > 1 and i > word + 1 and morphology.is_participle(core[-1]):
        core = core[-1:]
    deed = next((j for j in range(i, min(i + 3, len(tokens))) if tokens[j].low not in lexicon.BE | lexicon.HAVE), i)
    if core and deed > i and deed < len(tokens) and morphology.is_participle(tokens[deed].low):
        core, i = [*core, tokens[deed].low], deed + 1
    if not core:
        return None
    item = naming.Item(
        DraftField(morphology.name(*core), FieldType.BOOLEAN, words=tuple(core)), tuple(tokens[at:i]), determined=True
    )
    return item, qualifiers.attributes(tokens, i, item.field)


_SKIP_SEPARATORS_WORDS: Final = lexicon.words(
    "also with has have the its their following : or \u2013 — - may can includes including both fields "
    "attributes properties"
)


def _skip_separators(tokens: Sequence[Token], i: int) -> tuple[int, bool]:
    optional = False
    while i < len(tokens):
        token = tokens[i]
        if (behind := _not_yet(tokens, i) or _if_any(tokens, i)) is not None:
            i, optional = behind, True
            continue
        if token.low in {"optionally", "possibly", "perhaps", "maybe"}:
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
        elif token.low not in vocabulary.SEPARATORS | _SKIP_SEPARATORS_WORDS or _plus_one(tokens, i):
            break
        i += 1
    return i, optional


def _not_yet(tokens: Sequence[Token], at: int) -> int | None:
    """Give where the field begins in "until the car leaves, no exit time": it is missing for a while."""
    if tokens[at].low not in {"until", "till", "while"} or at == 0 or tokens[at - 1].text != ",":
        return None
    comma = next((i for i in range(at + 2, len(tokens)) if tokens[i].text == ","), None)
    return comma + 2 if comma is not None and comma + 2 < len(tokens) and tokens[comma + 1].low == "no" else None


def _if_any(tokens: Sequence[Token], at: int) -> int | None:
    """Give where the field begins in "if they have one, an email address": not everyone has it."""
    if tokens[at].low not in {"if", "where"}:
        return None
    end = quantities.any_phrase(tokens, at + 1, _ANY)
    return end + 1 if end is not None and end + 1 < len(tokens) and tokens[end].text == "," else None


_ANY: Final = (
    "they have one", "they have any", "it has one", "it has any", "he or she has one", "there is one", "there is any",
    "available", "known", "given", "applicable", "any",
)  # fmt: skip


def _plus_one(tokens: Sequence[Token], at: int) -> bool:
    """Whether "plus one" is whom a guest brings, rather than one more of the list."""
    end = quantities.phrase(tokens, at, "plus one")
    return end is not None and (end >= len(tokens) or not tokens[end].is_word or tokens[end].low in vocabulary.STOPS)


def _item(tokens: Sequence[Token], at: int) -> tuple[naming.Item | None, int]:
    i, item = at, naming.Item(DraftField(""), ())
    i = naming.premodifiers(tokens, i, item)
    core, i = naming.core_name(tokens, i, item)
    if not core or set(core) <= _NO_NAMES:
        return None, i
    core, i = _renamed(tokens, i) or (core, i)
    core, i = _bare_enumeration(tokens, core, i, item)
    if item.plural:
        core = [*core[:-1], morphology.plural(morphology.singular(core[-1]))]
    item.field.words = tuple(core)
    item.field.name = morphology.name(*core)
    i = qualifiers.attributes(tokens, i, item.field, item.left)
    if (example := _example(tokens, i)) is not None:
        i = qualifiers.attributes(tokens, example, item.field, item.left)
    if (behind := _on_which(tokens, i) or _between_what(tokens, i)) is not None:
        i = behind
        i = qualifiers.attributes(tokens, i, item.field, item.left)
    if item.determined and (apposed := _apposed(tokens, i, item.field)) is not None:
        i = apposed
    if i < len(tokens) and tokens[i].low in _EXPLAINING:
        i = next(
            (j for j in range(i, len(tokens)) if tokens[j].text in {",", ";", "("} or tokens[j].low == "and"),
            len(tokens),
        )
        if i < len(tokens) and tokens[i].text == "(":
            i = qualifiers.attributes(tokens, i, item.field, item.left)
    if item.field.per:
        item.field.name = morphology.name(item.field.name, "per", item.field.per)
    item.tokens = tuple(tokens[at:i])
    return item, i


def _renamed(tokens: Sequence[Token], at: int) -> tuple[list[str], int] | None:
    """Read "a limited number of boxes (its capacity)": the bracket names the field."""
    if at + 3 >= len(tokens) or tokens[at].text != "(" or tokens[at + 1].low not in {"its", "their", "the", "called"}:
        return None
    end = next((j for j in range(at + 2, min(at + 5, len(tokens))) if tokens[j].text == ")"), None)
    words = tokens[at + 2 : end] if end is not None else ()
    if end is None or not words or not all(t.is_word and t.value is None and t.verb is None for t in words):
        return None
    return [t.low for t in words], end + 1


def _between_what(tokens: Sequence[Token], at: int) -> int | None:
    """Pass over "between waterings" behind a number of days; gives where that ends."""
    led = at + 1 < len(tokens) and tokens[at].low in {"between", "among"}
    return at + 2 if led and tokens[at + 1].value is None and morphology.is_plural(tokens[at + 1].low) else None


def _on_which(tokens: Sequence[Token], at: int) -> int | None:
    """Pass over "on which it was delivered" behind a date; gives where that ends."""
    led = at + 3 < len(tokens) and tokens[at].low in {"on", "at", "in"} and tokens[at + 1].low == "which"
    if not led or tokens[at + 2].low not in lexicon.PRONOUNS | lexicon.ARTICLES:
        return None
    return next(
        (i for i in range(at + 3, len(tokens)) if tokens[i].text in {",", ";", "("} or tokens[i].low == "and"),
        len(tokens),
    )


_EXPLAINING: Final = lexicon.words("where when who which that it they he she we i you")
_NO_NAMES: Final = lexicon.words("most least max min once twice more less it them not only")
_CHOSEN: Final = lexicon.words(
    "result outcome status state type kind level size class category priority condition mode grade colour color "
    "gender quality season shift direction side"
)


def _apposed(tokens: Sequence[Token], at: int, target: DraftField) -> int | None:
    """Read "a result, passed or failed, and …" and "a colour, one of red and blue": the values stand behind a comma."""
    if at >= len(tokens) or tokens[at].text != "," or target.values or target.type is not None:
        return None
    if any(quantities.phrase(tokens, at + 1, w) is not None for w in ("one of", "either")) and at + 3 < len(tokens):
        return enumerating.said_values(tokens, at + 1, target)
    read = enumerations.until_or(tokens, at + 1)
    if read is None or tokens[at + 1].low in lexicon.CONJUNCTIONS:
        return None
    done = all(morphology.is_participle(value.split()[0].lower()) for value in read[0])
    closed = read[1] >= len(tokens) or tokens[read[1]].low in vocabulary.SEPARATORS
    if not closed or not (done or target.name.split("_")[-1] in _CHOSEN):
        return None
    enumerating.enumerate_values(target, read[0])
    return read[1]


_EXAMPLES: Final = ("e.g.", "eg", "i.e.", "for example", "for instance", "such as", "like")


def _example(tokens: Sequence[Token], at: int) -> int | None:
    """Pass over an example behind a field, with the commas around it: ", e.g. "A12", unique on its floor"."""
    i = at + (at < len(tokens) and tokens[at].text == ",")
    behind = quantities.any_phrase(tokens, i, _EXAMPLES)
    if (
        behind is None
        or behind >= len(tokens)
        or (tokens[behind].kind is Kind.WORD and tokens[behind].text.isalpha() and tokens[behind].text.islower())
    ):
        return None
    end = next((j for j in range(behind, len(tokens)) if tokens[j].text in {",", ";", "("}), len(tokens))
    comma = end < len(tokens) and tokens[end].text == "," and qualifiers.continues(tokens, end + 1)
    return end + 1 if comma else end


def _bare_enumeration(tokens: Sequence[Token], core: list[str], i: int, item: naming.Item) -> tuple[list[str], int]:
    """Read "priority low, medium or high": the last word of the name is the first value."""
    if len(core) > 1 and i + 1 < len(tokens) and tokens[i].text in {"/", "|"}:
        values, end = [core[-1]], i
        while end + 1 < len(tokens) and tokens[end].text in {"/", "|"}:
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
    if read is None or (any(value.isdigit() for value in read[0]) and not read[0][0].isdigit()):
        return core, i  # "a sail number, 2 or 3 masts": what is listed behind the name are figures of something else
    values, end = read
    item.field.values = tuple(values)
    return core[:-1], end
