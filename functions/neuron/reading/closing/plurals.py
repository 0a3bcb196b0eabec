"""Closes what a thing holds many of: references of theirs, relations, or only a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import inference, morphology
from functions.neuron.reading.closing import links
from functions.neuron.reading.declarations import AT_LEAST, SHARED_NOUNS, Open, relation
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField
from functions.neuron.reading.quantities import Bound
from shared.software import designs
from shared.software.specification import FieldType, QuotaRule

if TYPE_CHECKING:
    from functions.neuron.reading.tokens import Token


_CONTENT: Final = {
    "comment": ("text", FieldType.TEXT),
    "review": ("text", FieldType.TEXT),
    "message": ("text", FieldType.TEXT),
    "rating": ("score", FieldType.INTEGER),
    "donation": ("amount", None),
    "pledge": ("amount", None),
    "bid": ("amount", None),
    "submission": ("content", FieldType.TEXT),
}


def contents(draft: Draft) -> None:
    """Give what is made by a verb the content that its noun implies when the request says nothing of it."""
    for entity in draft.entities.values():
        content = _CONTENT.get(entity.name.split("_")[-1])
        if (
            content is None
            or any(f.target is None and not f.managed for f in entity.fields.values())
            or not any(f.target for f in entity.fields.values())
        ):
            continue
        field = entity.add(DraftField(content[0], content[1]))
        if entity.name == "rating":
            field.minimum, field.maximum = 1, 5


def plural_fields(draft: Draft, later: Open) -> None:
    """Take fields that turn out to be collections of entities for what they are ("a quiz has questions")."""
    for entity in draft.entities.values():
        for name, item in list(entity.fields.items()):
            plain = item.type is None and not item.values and not item.unique
            known = draft.known(name.split("_")) if plain and morphology.is_plural(name.split("_")[-1]) else None
            limits = _limits(item)
            if limits is not None and (known is None or not known.fields or "of" in item.words):
                continue  # a number of seats, where seats are not kept one by one
            if known is not None and known is not entity:
                del entity.fields[name]
                later.many.append((entity.name, name, item.at, limits, False))
                if limits is not None and limits.low:
                    draft.at = item.at
                    draft.leave(_words_of(draft, item), AT_LEAST)


def _limits(item: DraftField) -> Bound | None:
    """Give the bounds of a field as those of a number of things."""
    if item.minimum is None and item.maximum is None:
        return None
    return Bound(item.minimum, item.maximum, item.exclusive_minimum, item.exclusive_maximum)


def _words_of(draft: Draft, item: DraftField) -> list[Token]:
    """Give what stands behind a field's name in its clause, up to the next field: "at least one and at most twenty"."""
    words = draft.clauses[item.at].tokens
    start = next((i + 1 for i, t in enumerate(words) if t.low == item.words[-1]), len(words))
    start += start < len(words) and words[start].text == ","
    end = next((i for i in range(start, len(words)) if words[i].text in {",", ";"}), len(words))
    return list(words[start:end])


def close_many(draft: Draft, later: Open) -> None:
    """Close what things are said to have many of."""
    stated = {(holder, morphology.singular(held.split("_")[-1])) for holder, held, _, _, _ in later.many}
    for holder, held, at, limits, mutual in later.many:
        draft.at = at
        words = held.split("_")
        name = morphology.name(*words[:-1], morphology.singular(words[-1]))
        child = draft.known(words) or next((e for i in range(1, len(words)) if (e := draft.known(words[i:]))), None)
        both = child is not None and (child.name, morphology.singular(holder.split("_")[-1])) in stated
        if (
            child is None
            and not mutual
            and words[-1] in {"notes", "details", "instructions", "remarks", "directions", "comments"}
            and limits is None
        ):
            added = draft.entities[holder].add(DraftField(held, FieldType.TEXT))
            draft.mark(("field", holder, added.name))
            continue
        if child is None and _is_count(words[-1], limits):
            _count(draft, holder, held, limits)
            continue
        fresh = child is None
        child = child or draft.entity(name, declared=True)
        linked = any({subject, objects[0]} == {holder, child.name} for _, subject, objects, _, _ in later.links)
        _join(draft, holder, child, mutual=mutual, both=both, fresh=fresh, linked=linked)
        if limits is not None:
            _bounded(draft, draft.entities[holder], child, limits)
            if limits.low is not None and limits.low > 0 and not limits.exact:
                draft.parts.append((holder, child.name, int(limits.whole().low or 1), at))


def _is_count(word: str, limits: Bound | None) -> bool:
    """Whether "between 1 and 6 free seats" is how many there are, rather than seats that are kept one by one."""
    ranged = limits is not None and not limits.exact and limits.high is not None and limits.low is not None
    return ranged and inference.counts(word)


def _count(draft: Draft, holder: str, name: str, limits: Bound | None) -> None:
    whole = limits.whole() if limits is not None else None
    low, high = (whole.low, whole.high) if whole is not None else (None, None)
    item = DraftField(name, FieldType.INTEGER, minimum=low, maximum=high)
    draft.mark(("field", holder, draft.entities[holder].add(item).name))
    draft.left[draft.at] = [part for part in draft.left[draft.at] if part[2] != AT_LEAST]


def _bounded(draft: Draft, parent: DraftEntity, child: DraftEntity, bound: Bound) -> None:
    """Limit how many a parent has; that it must have some cannot be held, because it is made first."""
    reference = child.reference_to(parent.name)
    if bound.high is None or bound.high == bound.low:
        return
    if reference is None:
        tied = [e for e in draft.entities.values() if e.reference_to(parent.name) and e.reference_to(child.name)]
        tied = [e for e in tied if e.name.split("_")[-1] not in links.PAYING]
        link = min(tied, key=lambda e: e.link_verb is None, default=None)
        if link is None:
            draft.reasons[draft.at] = "How many of these are put together is not checked."
            return
        child, reference = link, link.reference_to(parent.name)
    if reference is None:
        return
    limit = int(bound.whole().high or 0)
    owner = designs.with_article(parent.name)
    text = f"{owner[0].upper()}{owner[1:]} has at most {limit} {child.plural}.".replace("_", " ")
    draft.mark(
        draft.add_rule(
            QuotaRule(
                name=morphology.name(child.name, parent.name, "quota"),
                entity=child.name,
                message=text,
                reference=reference.name,
                limit=limit,
            )
        )
    )


_MANY: Final = 3  # references of what links more than two: a vote of a voter, for an option, in a poll


def _join(
    draft: Draft, holder: str, child: DraftEntity, *, mutual: bool, both: bool, fresh: bool, linked: bool
) -> None:
    """Relate an entity with the many that it holds: by a reference of theirs."""
    parent = draft.entities[holder]
    joined = [e for e in draft.entities.values() if e.reference_to(holder) and e.reference_to(child.name)]
    if child.name == holder or any(linked or len([f for f in e.fields.values() if f.target]) < _MANY for e in joined):
        draft.mark(("entity", child.name))
        return
    if child.reference_to(holder) is not None or (parent.reference_to(child.name) is not None and not both):
        draft.mark(("field", child.name, holder) if child.reference_to(holder) else ("field", holder, child.name))
        return
    shared = child.name.split("_")[-1] in SHARED_NOUNS and not {"amount", "quantity", "unit", "position"} & set(
        child.fields
    )
    if mutual or both or shared:
        if fresh:
            child.fields.setdefault("name", DraftField("name", unique=True))
        made = _known_relation(draft, holder, child.name) or relation(draft, holder, child.name).name
        draft.mark(("relation", made), ("entity", child.name))
        return
    if fresh and not child.fields:
        child.fields["name"] = DraftField("name")
    child.fields = {holder: DraftField(holder, FieldType.REFERENCE, target=holder), **child.fields}
    draft.mark(("field", child.name, holder), ("entity", child.name))


def _known_relation(draft: Draft, left: str, right: str) -> str | None:
    return next((r.name for r in draft.relations.values() if {r.left, r.right} == {left, right}), None)
