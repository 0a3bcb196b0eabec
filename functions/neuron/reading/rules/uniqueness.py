"""Reads what may be there once: "table numbers are unique per restaurant", "one review for each book and member"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import closing, conditions, lexicon, morphology, quantities
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField
from functions.neuron.reading.rules import quotas, readings
from shared.software import designs
from shared.software import specification as spec
from shared.software.specification import Condition

if TYPE_CHECKING:
    from collections.abc import Sequence


def unique(r: readings.Reading, draft: Draft) -> bool:
    """Read "no two rooms share a name", "a customer can review a product only once", "an email can be used once"."""
    readers = (
        _combined, _shared, _with_the_same, _one_for, _repeated, _once_per, _once_within, _identifies,
    )  # fmt: skip
    return any(reader(r, draft) for reader in readers)


def _with_the_same(r: readings.Reading, draft: Draft) -> bool:
    """Read "there must not be two readings of a sensor with the same timestamp"."""
    lows = r.lows
    same = next((i for i in range(len(lows)) if lows[i : i + 3] == ["with", "the", "same"]), None)
    denied = r.frame.negated or "no" in lows
    mentions = draft.mentions(r.words[:same]) if same is not None else []
    if same is None or not denied or not mentions or "two" not in lows[:same]:
        return False
    entity = mentions[0].entity
    names: list[str] = []
    at = same + 3
    while (named := conditions.find_field(r.words, entity, at)) is not None:
        names.append(named[0].name)
        at = named[2]
    within = [f.name for m in mentions[1:] if (f := entity.reference_to(m.entity.name))]
    if not names or len(within) != len(mentions) - 1:
        return False
    return add_unique(r, draft, entity, (*within, *names), conditions.running(entity) if within else ())


def _identifies(r: readings.Reading, draft: Draft) -> bool:
    """Read "the flat number identifies a tenant": no two tenants have the same."""
    if r.frame.verb != "identify" or r.frame.negated or r.frame.group.passive or len(r.objects) != 1:
        return False
    entity = r.objects[0].entity
    named = conditions.find_field(r.frame.subject, entity)
    if named is None or named[2] != len(r.frame.subject) or named[0].target is not None:
        return False
    return add_unique(r, draft, entity, (named[0].name,))


def _one_for(r: readings.Reading, draft: Draft) -> bool:
    """Read "an employee must not have more than one time sheet for the same date", "one grade per assessment only"."""
    start = next((e for i in range(len(r.words)) if (e := quantities.any_phrase(r.words, i, _ONE))), None)
    if start is None and r.lows[-1:] == ["only"] and r.lows.count("one") == 1:
        start = r.lows.index("one") + 1  # "per meet and stroke a swimmer has one result only"
    denied = r.frame.negated or "no" in r.lows
    counted = next((m for m in draft.mentions(r.words[start:]) if m.start == 0), None) if start is not None else None
    if (
        start is None
        or counted is None
        or counted.adjectives
        or (r.lows[start - 3 : start - 1] == ["more", "than"]) != denied
    ):
        return False
    if quotas.period_in(r.words) or {"time", "once"} & set(r.lows):
        return False
    entity, behind = counted.entity, start + counted.end
    others = [m.entity for m in draft.mentions([*r.words[: start - 1], *r.words[behind:]]) if m.entity is not entity]
    names = [f.name for other in others if (f := entity.reference_to(other.name))]
    at = 0 if r.lows[-1] == "only" else behind
    while (named := conditions.find_field(r.words, entity, at)) is not None:
        names.append(named[0].name)
        at = named[2]
    names = list(dict.fromkeys(names))
    if len(names) < _SEVERAL or not {f.name for o in others if (f := entity.reference_to(o.name))} <= set(names):
        return False
    if any(entity.reference_to(other.name) is None for other in others):
        return False
    return add_unique(r, draft, entity, tuple(names), conditions.running(entity))


_ONE: Final = ("more than one", "more than 1", "only one", "at most one", "just one", "exactly one")
_SEVERAL: Final = 2
_INSIDE: Final = frozenset({"within", "in", "per"})
_OCCURRING: Final = lexicon.words("occur appear exist repeat be use have sell book reserve take assign give occupy")


def _once_within(r: readings.Reading, draft: Draft) -> bool:
    """Read "a number occurs only once within a recipe" where steps of a recipe have a number."""
    lows = r.lows
    once = "once" in lows and ("only" in lows or "most" in lows)
    twice = (r.frame.negated or "no" in lows) and "twice" in lows
    opened = next((i for i, t in enumerate(r.frame.subject) if t.text == ","), 0)
    if not opened and r.frame.subject and r.frame.subject[0].low in _INSIDE:
        first = next(iter(draft.mentions(r.frame.subject)), None)  # "within one survey no position occurs twice"
        opened = first.end if first is not None else 0
    led = opened > 1 and r.frame.subject[0].low in _INSIDE  # "within a team, a shirt number may be used only once"
    inside = next((i for i, t in enumerate(r.frame.rest) if t.low in _INSIDE), None)
    if not (once or twice) or (inside is None and not led) or r.frame.verb not in _OCCURRING or not r.frame.subject:
        return False
    within = r.frame.subject[:opened] if led or inside is None else r.frame.rest[inside + 1 :]
    parents = [m.entity for m in draft.mentions(within)]
    for entity in readings.candidate_entities(r, draft) if len(parents) == 1 else ():
        reference = entity.reference_to(parents[0].name)
        named = conditions.find_field(r.frame.subject, entity, opened)
        if reference is not None and named is not None and named[2] == len(r.frame.subject):
            return add_unique(r, draft, entity, (reference.name, named[0].name))
        numbered = entity.fields.get(f"{r.frame.subject[-1].singular}_number")  # "a seat" of a ticket
        if reference is not None and numbered is not None and r.subject is None:
            return add_unique(r, draft, entity, (reference.name, numbered.name), conditions.running(entity))
    return False


def _combined(r: readings.Reading, draft: Draft) -> bool:
    """Read "the combination of name and batch number is unique"."""
    if "unique" not in r.lows or not {"combination", "together", "pair", "combined"} & set(r.lows):
        return False
    for entity in readings.candidate_entities(r, draft):
        names: list[str] = []
        at = 0
        while (named := conditions.find_field(r.words, entity, at)) is not None:
            names.append(named[0].name)
            at = named[2]
        names += [
            f.name
            for m in draft.mentions(r.words)
            if m.entity is not entity and (f := entity.reference_to(m.entity.name)) and f.name not in names
        ]
        if len(names) > 1:
            return add_unique(r, draft, entity, tuple(dict.fromkeys(names)))
    return False


def _shared(r: readings.Reading, draft: Draft) -> bool:
    subject = r.frame.subject
    lows = [t.low for t in subject]
    two = "two" in lows or "both" in lows or "other" in lows or "another" in [t.low for t in r.frame.rest]
    if not (
        two
        and r.subject is not None
        and (r.frame.negated or "no" in lows)
        and r.frame.verb in {"share", "have", "use", "be"}
    ):
        return False
    names: list[str] = []
    at = 0
    while (named := conditions.find_field(r.frame.rest, r.subject, at)) is not None:
        names.append(named[0].name)
        at = named[2]
    inside = [
        f.name
        for m in draft.mentions(subject)
        if m.entity is not r.subject and (f := r.subject.reference_to(m.entity.name))
    ]
    if not names:
        return False
    return add_unique(r, draft, r.subject, (*inside, *[n for n in names if n not in inside]))


def add_unique(
    r: readings.Reading, draft: Draft, entity: DraftEntity, names: tuple[str, ...], when: tuple[Condition, ...] = ()
) -> bool:
    """Add a uniqueness: of one field, or of several together."""
    if len(names) == 1 and not when:
        entity.fields[names[0]].unique = True
        return draft.mark(("field", entity.name, names[0]))
    rule = spec.UniqueRule(
        name=readings.rule_name(entity.name, *names, "unique"),
        entity=entity.name,
        message=readings.sentence(r.words, draft.request),
        fields=names,
        when=when,
    )
    return draft.mark(draft.add_rule(rule))


_REPEATED_WORDS: Final = lexicon.words("have hold make write create submit post leave be place get give take")


def _repeated(r: readings.Reading, draft: Draft) -> bool:
    """Read "cannot book the same class twice", "can review a product only once", "may vote once per poll"."""
    lows = r.lows
    once = (
        "once" in lows
        and (r.frame.only or {"only", "more", "most"} & set(lows) or r.frame.modal in {"can", "may", "must"})
        and not quotas.period_in(r.words)
    )
    again = (
        ("same" in lows and ("twice" in lows or "again" in lows or "more" in lows or r.frame.negated))
        or "twice" in lows
        or ("two" in lows and "same" in lows)
    )
    if "once" in lows and lows.index("once") and lows[lows.index("once") - 1] == "at":
        once = False
    if not (once or (again and (r.frame.negated or "no" in lows))) or r.subject is None:
        return False
    others = [m.entity for m in (*r.objects, *r.subjects[1:]) if m.entity is not r.subject]
    if once and r.frame.group.passive and [t.low for t in r.frame.rest] in (["once"], ["only", "once"]):
        return _once_in_all(r, draft, r.subject)
    paired = next(
        (
            x.name
            for x in draft.relations.values()
            for other in others
            if {x.left, x.right} == {r.subject.name, other.name}
        ),
        None,
    )
    if paired is not None:
        return draft.mark(("relation", paired))
    for verb in r.frame.group.verbs:
        for entity in draft.entities.values():
            mine = entity.reference_to(r.subject.name)
            theirs = [f for other in others if (f := entity.reference_to(other.name))]
            tied = [
                e for e in draft.entities.values() if e.reference_to(r.subject.name) and theirs and _points(e, others)
            ]
            made = closing.makes(verb, entity) or verb in _REPEATED_WORDS or tied == [entity]
            if mine is not None and theirs and made:
                return add_unique(
                    r,
                    draft,
                    entity,
                    tuple(dict.fromkeys((mine.name, *[f.name for f in theirs]))),
                    conditions.running(entity),
                )
    return False


def _once_in_all(r: readings.Reading, draft: Draft, entity: DraftEntity) -> bool:
    """Read "an animal can be adopted only once": no two adoptions are of the same animal."""
    for made in draft.entities.values():
        reference = made.reference_to(entity.name)
        if reference is not None and closing.makes(r.frame.verb, made):
            return add_unique(r, draft, made, (reference.name,), conditions.running(made))
    return False


def _points(entity: DraftEntity, others: Sequence[DraftEntity]) -> bool:
    return any(entity.reference_to(other.name) is not None for other in others)


def _once_per(r: readings.Reading, draft: Draft) -> bool:
    """Read "only one review per product per user" and "one review per customer and product"."""
    if "per" not in r.lows or not {"one", "single", "1"} & set(r.lows):
        return False
    mentions = [m.entity for m in draft.mentions(r.words)]
    for entity in mentions:
        references = list(
            dict.fromkeys(
                f.name for other in mentions if other is not entity and (f := entity.reference_to(other.name))
            )
        )
        per = r.lows.index("per")
        while (named := conditions.find_field(r.words, entity, per + 1)) is not None:
            references += [named[0].name] if named[0].name not in references else []
            per = named[2] - 1
        if len(references) >= 2:
            return add_unique(r, draft, entity, tuple(references), conditions.running(entity))
        alone = references and entity.fields[references[0]].target is None and len(mentions) == 1
        if alone and not next(m for m in draft.mentions(r.words) if m.entity is entity).adjectives:
            return add_unique(r, draft, entity, tuple(references))
    return False


def unique_per(r: readings.Reading, draft: Draft, entity: DraftEntity, item: DraftField, probe: DraftField) -> bool:
    """Let a field be unique within what was read of it; False when that names no field."""
    names = resolve_per(entity, probe.unique_per, draft)
    return bool(names) and add_unique(r, draft, entity, (*names, item.name))


def resolve_per(entity: DraftEntity, words: Sequence[str], draft: Draft) -> tuple[str, ...]:
    """Find the fields that "unique per project" names."""
    found: list[str] = []
    for word in words:
        name = morphology.name(word)
        if name in entity.fields:
            found.append(name)
        elif name in draft.entities and (f := entity.reference_to(name)):
            found.append(f.name)
    return tuple(found)


def stated_uniqueness(draft: Draft) -> None:
    """Turn "unique per …" of fields into rules."""
    for entity in draft.entities.values():
        for item in list(entity.fields.values()):
            if not item.unique_per:
                continue
            names = resolve_per(entity, item.unique_per, draft)
            if names:
                owner = designs.with_article(entity.name)
                text = f"The {item.name} of {owner} must be unique per {' and '.join(names)}.".replace("_", " ")
                draft.at = item.at
                added = draft.add_rule(
                    spec.UniqueRule(
                        name=readings.rule_name(entity.name, *names, item.name, "unique"),
                        entity=entity.name,
                        message=text,
                        fields=(*names, item.name),
                    )
                )
                draft.mark(added)
            else:
                item.unique = True
