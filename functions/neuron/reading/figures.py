"""Reads how figures come about: what a field is computed from, what is summed, and dates that follow from others.

"A line's total is its quantity times its unit price", "the order total is the sum of quantity times product price over
its items", "a due date that is 30 days after the issue date". Promises: an expression stands for every word of what
was said, or there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import conditions, lexicon, morphology, quantities
from functions.neuron.reading.draft import DraftField
from functions.neuron.reading.tokens import Kind
from shared.software.specification import AggregateRule, ComputedRule, Derivation, FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.rules import Reading
    from functions.neuron.reading.tokens import Token
    from shared.software.specification import Condition

OPERATORS: Final = {
    "times": "*",
    "multiplied": "*",
    "x": "*",
    "\u00d7": "*",
    "*": "*",
    "plus": "+",
    "+": "+",
    "minus": "-",
    "-": "-",
    "less": "-",
}
_NOISE: Final = (
    lexicon.DETERMINERS
    | lexicon.BE
    | lexicon.words("of by its their the over for in from as computed calculated result equals equal all , ( )")
)


# expressions


def expression(tokens: Sequence[Token], entity: DraftEntity, draft: Draft, *, joint: str = "") -> str | None:
    """Read arithmetic over an entity's fields, and those of what it refers to; None unless every word has its place.

    Args:
        tokens: What is said.
        entity: Whose fields are meant.
        draft: What is known.
        joint: The operator that "and" stands for ("the product of a and b").
    """
    parts: list[str] = []
    i = 0
    while i < len(tokens):
        sign = joint if tokens[i].low == "and" and joint else OPERATORS.get(tokens[i].low)
        if sign is not None and len(parts) % 2:
            parts.append(sign)
            i += 1
            continue
        read = _operand(tokens, i, entity, draft) if len(parts) % 2 == 0 else None
        if read is not None:
            parts.append(read[0])
            i = read[1]
        elif _says_nothing(tokens[i], entity):
            i += 1
        else:
            return None
    return " ".join(parts) if len(parts) % 2 else None


def _says_nothing(token: Token, entity: DraftEntity) -> bool:
    named = token.is_word and (token.singular == entity.name or token.singular in entity.words)
    return token.low in _NOISE or token.kind is Kind.POSSESSIVE or named


def _operand(tokens: Sequence[Token], at: int, entity: DraftEntity, draft: Draft) -> tuple[str, int] | None:
    number = quantities.number(tokens, at)
    if number is not None:
        percent = tokens[at].kind is Kind.PERCENT
        return (f"{number[0] / 100:g}" if percent else f"{number[0]:g}"), number[1]
    own = conditions.field_at(tokens, at, entity)
    if own is not None and own[0].target is None and conditions.kind_of(own[0]) in conditions.NUMBERS:
        return own[0].name, _past_owner(tokens, own[1], entity.name)
    return _through(tokens, at, entity, draft)


def _past_owner(tokens: Sequence[Token], at: int, owner: str) -> int:
    """Pass over "of the line" behind a field of the line."""
    i = at
    while i < len(tokens) and tokens[i].low in {"of", "the", "its", "each", "a", "that"}:
        i += 1
    return i + 1 if at < i < len(tokens) and tokens[i].singular == owner else at


def _through(tokens: Sequence[Token], at: int, entity: DraftEntity, draft: Draft) -> tuple[str, int] | None:
    """Read "product price", "the product's price" and "price of the product" as a field of what is referred to."""
    found: list[tuple[str, int]] = []
    for reference in entity.fields.values():
        target = draft.entities.get(reference.target or "")
        if target is None:
            continue
        start = at
        if tokens[at].is_word and tokens[at].singular in {reference.name, target.name}:
            start = at + 1
            while start < len(tokens) and tokens[start].kind is Kind.POSSESSIVE:
                start += 1
        read = conditions.field_at(tokens, start, target) if start < len(tokens) else None
        if read is not None and read[0].target is None and conditions.kind_of(read[0]) in conditions.NUMBERS:
            part = f"{reference.name}.{read[0].name}", _past_owner(tokens, read[1], target.name)
            if start > at or part[1] > read[1]:
                return part
            found.append(part)
    return found[0] if len(found) == 1 else None


# computed fields


def computed(r: Reading, draft: Draft) -> bool:
    """Read "a line's total is its quantity times its unit price", "total = quantity x unit price"."""
    at = next((i for i, t in enumerate(r.words) if t.low in {"is", "equals", "="} and i), None)
    if at is None or r.frame.negated or r.frame.conditions or not {t.low for t in r.words} & {*OPERATORS, "product"}:
        return False
    subject, said = r.words[:at], r.words[at + 1 :]
    owners = [m.entity for m in draft.mentions(subject)]
    topic = draft.entities.get(draft.topic or "")
    for entity in dict.fromkeys([*owners, *([topic] if topic and not owners else []), *draft.entities.values()]):
        named = conditions.find_field(subject, entity)
        if named is not None and (named[0].target or conditions.kind_of(named[0]) not in conditions.NUMBERS):
            named = None
        name = named[0].name if named is not None else _figure(subject, entity) if entity in owners else None
        written = _written(said, entity, draft) if name is not None else None
        if name is not None and written is not None:
            return compute(draft, entity, name, written, _sentence(draft, r.words))
    return False


def _figure(subject: Sequence[Token], entity: DraftEntity) -> str | None:
    """Give the name of a figure that the request has not listed: "the total of a sale", "a sale's total"."""
    words = [t for t in subject if t.is_word and t.low not in _NOISE and t.singular not in entity.words]
    name = morphology.name(*[t.low for t in words]) if 0 < len(words) <= 3 else ""
    probe = DraftField(name)
    return name if name and conditions.kind_of(probe) in conditions.NUMBERS else None


def _written(said: Sequence[Token], entity: DraftEntity, draft: Draft) -> str | None:
    for opening, joint in (("the product of", "*"), ("product of", "*"), ("the sum of", "+"), ("sum of", "+")):
        end = quantities.phrase(said, 0, opening)
        if end is not None:
            return _of_several(expression(said[end:], entity, draft, joint=joint))
    return _of_several(expression(said, entity, draft))


def _of_several(text: str | None) -> str | None:
    """Leave out an expression that computes nothing."""
    return text if text is not None and " " in text else None


def compute(draft: Draft, entity: DraftEntity, name: str, written: str, message: str) -> bool:
    """Let a field be computed."""
    field = entity.add(DraftField(name))
    if field.name in {part.partition(".")[0] for part in written.split()}:
        return False
    whole = conditions.kind_of(field) is FieldType.INTEGER and "." not in written
    field.type = FieldType.INTEGER if whole else FieldType.DECIMAL
    field.managed, field.required, field.unique, field.default = True, False, False, None
    field.minimum = field.maximum = None
    rule = ComputedRule(
        name=morphology.name(entity.name, field.name, "computed"),
        entity=entity.name,
        message=message,
        field=field.name,
        expression=written,
    )
    return draft.mark(draft.add_rule(rule), ("field", entity.name, field.name))


def _sentence(draft: Draft, tokens: Sequence[Token]) -> str:
    text = " ".join(draft.request[tokens[0].start : tokens[-1].end].split())[:300]
    return f"{text[0].upper()}{text[1:]}."


# what lists of fields say of how a field comes about


def stated(draft: Draft) -> None:
    """Turn what lists of fields say of a field's origin into rules; what is not understood is left."""
    for entity in list(draft.entities.values()):
        for field in list(entity.fields.values()):
            if field.presumed and conditions.kind_of(field) in conditions.DATED:
                field.type = conditions.kind_of(field)
                entity.derivations[field.name] = Derivation(field=field.name, base="now")
                draft.at = field.at
                draft.mark(("derivation", entity.name, field.name))
            if not field.formula:
                continue
            draft.at = field.at
            if not (_derived(draft, entity, field) or _listed(draft, entity, field)):
                draft.leave(field.formula, "how this is computed was not understood")


def _listed(draft: Draft, entity: DraftEntity, field: DraftField) -> bool:
    written = _written(field.formula, entity, draft)
    return written is not None and compute(draft, entity, field.name, written, _sentence(draft, field.formula))


def _derived(draft: Draft, entity: DraftEntity, field: DraftField) -> bool:
    """Read "30 days after the issue date"."""
    at = next((i for i in range(len(field.formula)) if quantities.duration(field.formula, i) is not None), None)
    length = quantities.duration(field.formula, at) if at is not None else None
    if length is None or length[1] >= len(field.formula) or field.formula[length[1]].low not in {"after", "from"}:
        return False
    base = conditions.find_field(field.formula, entity, length[1])
    behind = {t.low for t in field.formula[length[1] :]}
    moment = base is not None and conditions.kind_of(base[0]) in conditions.DATED
    if not moment and not behind & {"creation", "created", "made", "now", "today", "placed", "issued"}:
        return False
    kind = conditions.kind_of(field)
    field.type = kind if kind in conditions.DATED else FieldType.DATETIME
    field.managed, field.required = True, True
    origin = base[0].name if base is not None and moment and base[0] is not field else "now"
    entity.derivations[field.name] = Derivation(
        field=field.name, base=origin, days=length[0].days, hours=length[0].hours
    )
    return draft.mark(("field", entity.name, field.name), ("derivation", entity.name, field.name))


# figures that are asked for


FUNCTIONS: Final = {
    "sum": "sum",
    "total": "sum",
    "totals": "sum",
    "average": "average",
    "mean": "average",
    "highest": "maximum",
    "maximum": "maximum",
    "lowest": "minimum",
    "minimum": "minimum",
    "number": "count",
    "count": "count",
}
_ASKING: Final = lexicon.words("show print report display list tell give calculate compute see view return know get")
_EACH: Final = frozenset({"each", "every", "per"})
_USUAL: Final = ("amount", "total", "price", "hours", "score", "stars", "rating", "quantity", "cost", "value", "points")


def asked(r: Reading, draft: Draft) -> bool:
    """Read "show the average rating of each recipe", "show how much each campaign has raised"."""
    lows = r.lows
    begins = lows[:1] == ["how"] or (lows[1:2] if lows[:1] == ["the"] else lows[:1])[:1] in ([f] for f in FUNCTIONS)
    if r.frame.negated or not ({t.verb for t in r.words} & _ASKING or begins) or "than" in lows:
        return False
    each = next((i for i, low in enumerate(lows) if low in _EACH), None)
    if each is None or {"and", ","} & set(lows[each:]) or sum(low in _EACH for low in lows) > 1:
        return False
    parent = next((m.entity for m in draft.mentions(r.words[each + 1 :]) if m.start <= 1), None)
    if parent is None:
        return False
    much = next((i for i, low in enumerate(lows[:-1]) if low == "how" and lows[i + 1] in {"much", "many"}), None)
    at = next((i for i, low in enumerate(lows) if low in FUNCTIONS), None)
    if much is not None:
        function = "count" if lows[much + 1] == "many" else "sum"
        return _sum_up(r, draft, parent, function, _done(r.words[much + 2 :]), r.words[much + 2 :])
    if at is None:
        return _bare(r, draft, parent, r.words[1:each])
    said = [t for t in r.words[at + 1 : each] if t.is_word and t.low not in _NOISE]
    function = FUNCTIONS[lows[at]]
    name = morphology.name("total" if function == "sum" else lows[at], *[t.low for t in said]) if said else ""
    return _sum_up(r, draft, parent, function, name, r.words[at + 1 :])


def _bare(r: Reading, draft: Draft, parent: DraftEntity, said: Sequence[Token]) -> bool:
    """Read "the points of each member" where only what belongs to the member has points: their sum."""
    if not said or said[-1].low not in {"of", "for"} or said[0].low not in lexicon.ARTICLES:
        return False
    children = [c for c in draft.entities.values() if c is not parent and c.reference_to(parent.name)]
    named = [c for c in children if (f := conditions.field_at(said, 1, c)) is not None and f[1] == len(said) - 1]
    if len(named) != 1 or conditions.field_at(said, 1, parent) is not None:
        return False
    return _sum_up(r, draft, parent, "sum", morphology.name("total", *[t.low for t in said[1:-1]]), said)


def _done(words: Sequence[Token]) -> str:
    """Name a figure after what was done: "has raised" -> raised."""
    verb = next((t.low for t in reversed(words) if morphology.is_participle(t.low)), "")
    return morphology.name(verb) if verb else ""


def _sum_up(r: Reading, draft: Draft, parent: DraftEntity, function: str, name: str, said: Sequence[Token]) -> bool:
    named = [m.entity for m in draft.mentions(said)]
    children = [c for c in draft.entities.values() if c is not parent and c.reference_to(parent.name)]
    children.sort(key=lambda c: c not in named)
    for child in children:
        reference = child.reference_to(parent.name)
        figure = None if function == "count" else figure_of(child, said)
        if (
            reference is None
            or (figure is None and function != "count")
            or (function == "count" and child not in named)
        ):
            continue
        field = parent.add(
            DraftField(name or (f"{child.name}_count" if function == "count" else f"{function}_{figure}"))
        )
        field.type = FieldType.INTEGER if function == "count" else FieldType.DECIMAL
        field.managed, field.required, field.values = True, False, ()
        field.minimum = field.maximum = None
        rule = AggregateRule(
            name=morphology.name(parent.name, field.name),
            entity=parent.name,
            message=_sentence(draft, r.words),
            field=field.name,
            of=child.name,
            reference=reference.name,
            function=function,
            expression=figure,
            when=_only(child, said, draft),
        )
        return draft.mark(draft.add_rule(rule), ("field", parent.name, field.name))
    return False


def _only(child: DraftEntity, said: Sequence[Token], draft: Draft) -> tuple[Condition, ...]:
    """Give which of the things count: "the bought ideas of each person"."""
    mention = next((m for m in draft.mentions(said) if m.entity is child), None)
    found = [conditions.adjective(t.low, child) for t in mention.adjectives] if mention is not None else []
    return next((tuple(part) for part in found if part), ())


def figure_of(child: DraftEntity, said: Sequence[Token]) -> str | None:
    """Give the figure that is meant: the one that is named, or the usual one of such a thing."""
    named = conditions.find_field(said, child)
    if named is not None and named[0].target is None and conditions.kind_of(named[0]) in conditions.NUMBERS:
        return named[0].name
    if said and said[0].kind is Kind.WORD and not _vague(said[0], child):
        return None  # "the average rating of each recipe" is none of its steps' numbers
    figures = [n for n, f in child.fields.items() if not f.target and conditions.kind_of(f) in conditions.NUMBERS]
    words = {t.low for t in said if t.is_word}
    begun = [n for n in figures if n.split("_")[0] in words]
    if len(begun) == 1:
        return begun[0]
    return next((n for n in _USUAL if n in figures), figures[0] if len(figures) == 1 else None)


def _vague(noun: Token, child: DraftEntity) -> bool:
    """Whether a word names no figure of its own, so that the usual one of what is summed up may be meant."""
    closed = lexicon.DETERMINERS | lexicon.PREPOSITIONS | lexicon.BE | lexicon.HAVE | lexicon.ADVERBS | lexicon.PRONOUNS
    verbal = noun.verb is not None and noun.verb not in lexicon.NOUN_VERBS
    begins = any(name.split("_")[0] == noun.low for name in child.fields)
    return noun.low in closed | _MONEYS or noun.singular in child.words or verbal or begins


_MONEYS: Final = lexicon.words("amount value money sum cost costs price sales revenue income spending worth turnover")
