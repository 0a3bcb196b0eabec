"""Reads figures that are asked for each value of a field: "how many tickets of each status", "the total per category".

Figures for each of something that is kept ("the total hours of each project") are a field of that (`figures`).
Promises: a report only where the field, the figure and every word that narrows down what is counted were found.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import conditions, figures, frames, lexicon, morphology, quantities, rules
from shared.software.specification import Condition, FieldType, Operator, Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft, DraftEntity, DraftField, Mention
    from functions.neuron.reading.rules import Reading
    from functions.neuron.reading.tokens import Token

_EACH: Final = frozenset({"each", "every", "per"})
_PERIODS: Final = frozenset({"day", "month", "year"})
_TOLD_APART: Final = frozenset(
    {FieldType.ENUM, FieldType.BOOLEAN, FieldType.STRING, FieldType.INTEGER, FieldType.DATE, FieldType.DATETIME}
)
_NUMBERS: Final = frozenset({FieldType.INTEGER, FieldType.DECIMAL, FieldType.NUMBER})
_NARROWING: Final = lexicon.RELATIVES - {"that", "i"} | lexicon.words("with without where having since until if when")
_NAMES: Final = {"sum": "total", "average": "average", "minimum": "lowest", "maximum": "highest"}


def by_value(r: Reading, draft: Draft) -> bool:
    """Read "show how many tickets of each status there are", "the average rating per artist", "total per month"."""
    bounds = [b for i in range(len(r.words)) if (b := quantities.bound(r.words, i)) is not None]
    if r.frame.negated or r.frame.conditions or "than" in r.lows or any(not bound.exact for bound, _ in bounds):
        return False
    parts = _parts(r.words)
    told = [_told(r, draft, part) for part in parts]
    if not any(told):
        return False
    for part, found in zip(parts, told, strict=True):
        if not found:
            draft.leave(_own(part, parts), "HAL9 does not know what this is told for each of.")
    return True


def _own(part: Sequence[Token], parts: Sequence[Sequence[Token]]) -> list[Token]:
    """Give the words of a figure that it does not share with the others."""
    others = {token for other in parts if other is not part for token in other}
    return [token for token in part if token not in others] or list(part)


def _parts(words: Sequence[Token]) -> list[tuple[Token, ...]]:
    """Give one figure for each grouping: "total hours per employee and per project" are two."""
    places = [i for i, t in enumerate(words) if t.low in _EACH]
    if len(places) <= 1:
        return _figures_together(words, places[0]) if places else []
    several = _figures_apart(words, places)
    if several:
        return several
    joined = all(words[i - 1].low in {"and", ","} and i - 1 > places[0] for i in places[1:])
    if not joined or sum(t.low in figures.FUNCTIONS for t in words) > 1:
        return []
    ends = [*(i - 1 for i in places[1:]), len(words)]
    return [(*words[: places[0]], *words[start:end]) for start, end in zip(places, ends, strict=True)]


def shares_grouping(words: Sequence[Token]) -> bool:
    """Whether several figures are told for each of the same: "the number of expenses and the total per category"."""
    places = [i for i, t in enumerate(words) if t.low in _EACH]
    return len(places) == 1 and len(_figures_together(words, places[0])) > 1


def _figures_together(words: Sequence[Token], place: int) -> list[tuple[Token, ...]]:
    """Give the figures that share one grouping: "the number of sessions and the total minutes per day"."""
    joint = next((i for i in range(place - 1, 0, -1) if words[i].low == "and"), None)
    heads = (words[:joint], words[joint + 1 : place]) if joint is not None else ()
    if not heads or any(_function(head)[0] is None for head in heads):
        return [tuple(words)]
    return [(*head, *words[place:]) for head in heads]


def _figures_apart(words: Sequence[Token], places: Sequence[int]) -> list[tuple[Token, ...]]:
    """Give the figures that each have a grouping of their own: "how many books per genre and the mean per author"."""
    starts = [0]
    for before, after in itertools.pairwise(places):
        joints = [i for i in range(before, after) if words[i].low == "and" or words[i].text == ","]
        figure = next((i for i in joints if _function(words[i + 1 : after])[0] is not None), None)
        if figure is None:
            return []
        starts.append(figure + 1)
    ends = [*(start - 1 for start in starts[1:]), len(words)]
    parts = [tuple(words[start:end]) for start, end in zip(starts, ends, strict=True)]
    return parts if all(_function(part)[0] is not None for part in parts) else []


def _told(r: Reading, draft: Draft, words: Sequence[Token]) -> bool:
    each = next(i for i, t in enumerate(words) if t.low in _EACH)
    if figures.asked(_reading(r, draft, words), draft):
        return True
    head = words[:each]
    mentioned = [m.entity for m in draft.mentions(words)]
    topic = [draft.entities[draft.topic]] if draft.topic in draft.entities else []
    for entity in dict.fromkeys([*mentioned, *topic, *(draft.entities.values() if not mentioned else ())]):
        group = _group(words, each + 1, entity)
        if group is None:
            continue
        field, period, end = group
        if _report(draft, entity, (field, period), [*head, *words[end:]]):
            return True
    return False


def _reading(r: Reading, draft: Draft, words: Sequence[Token]) -> Reading:
    frame = frames.Frame(r.frame.subject, r.frame.group, tuple(words))
    return rules.Reading(frame, tuple(words), r.subjects, draft.mentions(words))


def _group(words: Sequence[Token], at: int, entity: DraftEntity) -> tuple[DraftField, str | None, int] | None:
    """Give the field whose values are told apart, the part of it when it is a moment, and where its name ends."""
    named = conditions.field_at(words, at, entity)
    if named is not None:
        kind = conditions.kind_of(named[0])
        if named[0].target is not None or kind not in _TOLD_APART:
            return None
        return named[0], "day" if kind in conditions.DATED else None, named[1]
    if at >= len(words) or words[at].low not in _PERIODS:
        return None
    dates = [f for f in entity.fields.values() if conditions.kind_of(f) in conditions.DATED and not f.managed]
    return (dates[0], words[at].low, at + 1) if len(dates) == 1 else None


def _report(draft: Draft, entity: DraftEntity, by: tuple[DraftField, str | None], said: list[Token]) -> bool:
    function, at = _function(said)
    mention = next((m for m in draft.mentions(said) if m.entity is entity), None)
    if function is None or any(t.low in _NARROWING for t in said):
        return False
    of = _counted(said, entity) if function == "count" else _figure(said[at:], entity)
    if of is not None and function == "count":
        function = "sum"  # "the number of bottles" where each record has a number of bottles
    if (of is None and function != "count") or of == by[0].name or (function == "count" and mention is None):
        return False
    when = _only(mention, entity)
    told = _predicated(said[mention.end :], entity) if mention is not None else ()
    if when is None or told is None:
        return False
    when = (*when, *told)
    field, period = by
    figure = entity.plural if of is None else f"{_NAMES[function]}_{of}"
    name = morphology.name(figure, "by", period or field.name)
    draft.reports[name] = Report.model_validate(
        {
            "name": name,
            "entity": entity.name,
            "by": field.name,
            "period": period,
            "function": function,
            "of": of,
            "when": when,
            "description": _description(entity, figure, period or field.name, counted=of is None),
        }
    )
    return draft.mark(("report", name))


def _description(entity: DraftEntity, figure: str, by: str, *, counted: bool) -> str:
    many, shown = entity.plural.replace("_", " "), by.replace("_", " ")
    if counted:
        return f"The number of {many} of each {shown}."
    return f"The {figure.replace('_', ' ')} of {many} of each {shown}."


def _function(said: Sequence[Token]) -> tuple[str | None, int]:
    """Give the figure that is asked for, and where what it is of begins."""
    for i, token in enumerate(said):
        behind = said[i + 1].low if i + 1 < len(said) else ""
        if token.low == "how" and behind in {"many", "much"}:
            return ("count" if behind == "many" else "sum"), i + 2
        if token.low in {"number", "count"} and behind not in {"of", "the", "all"}:
            continue
        if token.low in figures.FUNCTIONS:
            return figures.FUNCTIONS[token.low], i + 1
    return None, 0


def _counted(said: Sequence[Token], entity: DraftEntity) -> str | None:
    """Give the field that is a number of what is counted: "the number of bottles" of a wine."""
    named = conditions.find_field(said, entity)
    whole = named is not None and conditions.kind_of(named[0]) is FieldType.INTEGER and not named[0].target
    return named[0].name if named is not None and whole and morphology.is_plural(said[named[2] - 1].low) else None


def _figure(said: Sequence[Token], entity: DraftEntity) -> str | None:
    named = conditions.find_field(said, entity)
    if named is not None and named[0].target is None and conditions.kind_of(named[0]) in _NUMBERS:
        return named[0].name
    units = [n for n, f in entity.fields.items() if said and f.description == f"In {said[0].low}." and not f.target]
    return units[0] if len(units) == 1 else figures.figure_of(entity, said)


def _predicated(behind: Sequence[Token], entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Read what is said of them behind their name: "how many translations are final"; None where it is not known."""
    if behind and behind[0].low in _DOERS:
        return _done(behind[1:], entity)
    if not any(t.low in lexicon.BE for t in behind):
        return ()
    words = [t.low for t in behind if t.is_word and t.low not in _CLOSED]
    return conditions.adjective(" ".join(words), entity) if words else ()


def _done(behind: Sequence[Token], entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Read what somebody did with them: "how many books I have read", "the tasks I finished"; None where not known."""
    told = [t for t in behind if t.is_word and t.low not in _CLOSED | _DOERS | lexicon.ADVERBS | lexicon.HAVE]
    if not told:
        return ()
    verb = told[-1].verb
    if verb is None and len(told) == 1:
        return conditions.adjective(told[0].low, entity)
    if verb is None or len(told) > 1 or verb in _KEEPING:
        return () if verb in _KEEPING and len(told) == 1 else None
    participle = morphology.participle(verb)
    found = conditions.adjective(participle, entity)
    machine = entity.machine
    if found is not None or machine is None:
        return found
    ends = [s for s in machine.states if s in _ENDED] if participle in _ENDED else []
    moved = [move.target for move in machine.transitions.values() if move.name == verb] or ends
    return (Condition(field=machine.field, operator=Operator.EQ, value=moved[0]),) if len(moved) == 1 else None


_DOERS: Final = lexicon.words("i we you they that which")
_KEEPING: Final = lexicon.words("have own make add log record enter track keep store hold spend")
_ENDED: Final = lexicon.words("done finished completed complete closed")
_CLOSED: Final = lexicon.BE | lexicon.PREPOSITIONS | lexicon.DETERMINERS | lexicon.words("there shown kept stored")
_ASKING: Final = lexicon.words("how many much number total sum average count show tell list print report display see")


def _only(mention: Mention | None, entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Give which records count: "the number of open tickets per agent"; None where a word is not understood."""
    told = [t for t in mention.adjectives if t.low not in _ASKING] if mention is not None else []
    if not told:
        return ()
    return conditions.adjective(" ".join(t.low for t in told), entity)
