"""Reads limits on how many: "a member may borrow at most 3 books", "no more than two open tickets per customer"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import closing, conditions, lexicon, morphology, quantities
from functions.neuron.reading.draft import Draft, DraftEntity
from functions.neuron.reading.rules import readings
from functions.neuron.reading.tokens import Token
from shared.software import specification as spec
from shared.software.specification import Condition, FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence


def quota(r: readings.Reading, draft: Draft) -> bool:
    """Read "a member can borrow at most 3 books at a time", "no more than two open tickets per customer"."""
    bound_at = _limit(r, draft)
    if bound_at is None or (not r.frame.subject and r.frame.verb in lexicon.OPERATION_VERBS):
        return False
    limit, after, where = bound_at
    if limit < 0:
        return False
    counted = _counted(r, draft, where, after)
    if counted is None:
        return False
    entity, per, adjectives = counted
    if per is not None and r.subject not in {None, entity, per} and not _reaches(entity, r.subject):
        return False  # "one singer has one attendance per rehearsal" where an attendance names no singer
    per = per or _parent_named(r, entity)
    if per is not None and twofold(entity, per):
        return False
    weight = _weight(r, where, after, entity)
    reference = _reference(entity, per)
    if reference is None and (per is not None or r.subject not in {None, entity} or not _in_all(r)):
        return False
    period = period_in(r.words)
    others = tuple(name for name in _per_others(r, entity, per))
    when = _when(adjectives, entity, r)
    holders = _of_holders(r, entity)
    if holders is None:
        return False
    when = (*when, *holders)
    rule = spec.QuotaRule(
        name=readings.rule_name(entity.name, *((per and [per.name]) or []), "quota"),
        entity=entity.name,
        message=readings.sentence(r.words, draft.request),
        reference=reference,
        limit=limit,
        weight_field=weight,
        period=period[0] if period else None,
        period_field=period_field(entity) if period else None,
        when=when,
        **({"also": others} if others else {}),
    )
    return draft.mark(draft.add_rule(rule))


def _reaches(entity: DraftEntity, holder: DraftEntity | None) -> bool:
    return holder is not None and entity.reference_to(holder.name) is not None


def _of_holders(r: readings.Reading, entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Read whom a limit is for: "basic members can have two bookings a week" counts only those of basic members.

    None where the holders are told apart by a word that nothing answers to.
    """
    mention = r.subjects[0] if r.subjects else None
    told = [t for t in mention.adjectives if t.verb is None or morphology.is_participle(t.low)] if mention else []
    told = [t for t in told if t.low not in _ANY_HOLDER and t.value is None]
    if mention is None or mention.entity is entity or not told:
        return ()
    reference = entity.reference_to(mention.entity.name)
    stated = conditions.adjective(" ".join(t.low for t in told), mention.entity)
    if reference is None or stated is None or any("." in c.field for c in stated):
        return None
    return tuple(c.model_copy(update={"field": f"{reference.name}.{c.field}"}) for c in stated)


_ANY_HOLDER: Final = lexicon.words("single given same individual particular certain specific registered one")


def _weight(r: readings.Reading, where: str, after: int, entity: DraftEntity) -> str | None:
    """Give the figure that is added up when a quota is on it rather than on the number of things ("24 hours per d."""
    tokens = r.frame.rest if where == "rest" else r.frame.subject
    read = conditions.field_at(tokens, after, entity) if after < len(tokens) else None
    if read is None or conditions.kind_of(read[0]) not in {FieldType.INTEGER, FieldType.DECIMAL}:
        return None
    return read[0].name


_IN_ALL_WORDS: Final = lexicon.words("total overall altogether system all store stored exist")


def _in_all(r: readings.Reading) -> bool:
    """Whether a limit without an owner is one on all there are: "at most 100 products in total"."""
    return bool(_IN_ALL_WORDS & set(r.lows)) or period_in(r.words) is not None


def _limit(r: readings.Reading, draft: Draft) -> tuple[int, int, str] | None:
    """Give the upper limit that the clause states, the position behind it, and the part that it stands in."""
    if (parted := _parted(r)) is not None:
        return parted
    for part, tokens in (("rest", r.frame.rest), ("subject", r.frame.subject)):
        within = 0
        for i in range(len(tokens)):
            read = quantities.bound(tokens, i) if i >= within else None
            within = max(within, read[1] if read is not None else 0)  # in "at least 3" there is no bare 3
            if read is None or _measures_text(tokens, read[1]):
                continue
            bound = read[0]
            if part == "rest" and r.frame.negated and not bound.exact and bound.high is None:
                bound = bound.negated()
            if part == "subject" and tokens[0].low == "no" and i > 0 and bound.high is None:
                bound = bound.negated()
            if bound.exact:
                bound, _ = quantities.trailing(tokens, read[1] + 1, bound)
            if bound.exact and (
                r.frame.only
                or (
                    r.frame.modal in {"can", "may"}
                    and not r.frame.negated
                    and part == "rest"
                    and _counts_noun(tokens, read[1])
                )
            ):
                bound = quantities.Bound(high=bound.low)
            whole = bound.whole()
            if (
                whole.high is not None
                and whole.low in {None, 0}
                and float(whole.high).is_integer()
                and (quantities.duration(tokens, _number_at(tokens, i)) is None or _is_figure(tokens, read[1], draft))
            ):
                return int(whole.high), read[1], part
    return _only_one(r)


def _parent_named(r: readings.Reading, entity: DraftEntity) -> DraftEntity | None:
    """Give what is named behind "for": bookings for a performance."""
    after = [
        m for m in r.objects if m.start > 0 and r.frame.rest[m.start - 1].low in lexicon.ARTICLES | {"for", "of", "in"}
    ]
    return next((m.entity for m in after if m.entity is not entity and entity.reference_to(m.entity.name)), None)


def _parted(r: readings.Reading) -> tuple[int, int, str] | None:
    """Read "not more bookings for a performance than 300": the number stands far behind its "more"."""
    rest = r.frame.rest
    more = next((i for i, t in enumerate(rest[:3]) if t.low == "more"), None)
    than = next((i for i, t in enumerate(rest) if t.low == "than"), None)
    if more is None or than is None or than == more + 1 or not (r.frame.negated or "no" in r.lows):
        return None
    read = quantities.number(rest, than + 1)
    return (int(read[0]), more + 1, "rest") if read is not None and float(read[0]).is_integer() else None


def _measures_text(tokens: Sequence[Token], at: int) -> bool:
    """Whether a bound is on how long a text is: "with a cover letter of at most 2000 characters"."""
    return at < len(tokens) and tokens[at].singular in _OF_TEXTS


_OF_TEXTS: Final = frozenset({"character", "char", "letter", "digit", "symbol", "word"})


def _is_figure(tokens: Sequence[Token], at: int, draft: Draft) -> bool:
    """Whether what is counted is a field ("hours" of an entry) rather than a length of time."""
    return at < len(tokens) and any(tokens[at].low in entity.fields for entity in draft.entities.values())


def _number_at(tokens: Sequence[Token], i: int) -> int:
    return next((j for j in range(i, min(i + 6, len(tokens))) if quantities.is_number(tokens[j])), i)


def _counts_noun(tokens: Sequence[Token], at: int) -> bool:
    return (
        at < len(tokens)
        and tokens[at].is_word
        and (
            morphology.is_plural(tokens[at].low) or (at + 1 < len(tokens) and morphology.is_plural(tokens[at + 1].low))
        )
    )


def _only_one(r: readings.Reading) -> tuple[int, int, str] | None:
    """Read "only have one open loan" and "cannot have two active leases" as limits."""
    for i, token in enumerate(r.frame.rest):
        if token.low in {"one", "a", "single"} and (r.frame.only or (i > 0 and r.frame.rest[i - 1].low == "only")):
            return 1, i + 1, "rest"
        if r.frame.negated and token.low == "two" and r.frame.verb == "have":
            return 1, i + 1, "rest"
    return None


def _counted(
    r: readings.Reading, draft: Draft, where: str, after: int
) -> tuple[DraftEntity, DraftEntity | None, tuple[Token, ...]] | None:
    """Find what is counted, and whose: loans of a member, tickets per customer."""
    tokens = r.frame.rest if where == "rest" else r.frame.subject
    named = next((m for m in draft.mentions(tokens) if m.start >= after and m.start - after <= 3), None)
    holder = next((m.entity for m in r.subjects), None) if where == "rest" else None
    per = _per(r, draft)
    for verb in r.frame.group.verbs:
        linked = _linked(verb, draft, named.entity if named else None, holder or per)
        if linked is not None:
            whose = (
                per
                if per and linked.reference_to(per.name)
                else (holder if holder is not None and linked.reference_to(holder.name) else None)
            )
            if r.frame.group.passive and where == "subject":
                whose = next((m.entity for m in r.objects if linked.reference_to(m.entity.name)), whose)
            elif r.frame.group.passive and holder is not None:
                whose = holder
            return (linked, whose, named.adjectives if named else ()) if whose or not holder else None
    if named is None:
        return _by_figure(tokens, after, holder or per, draft)
    entity = named.entity
    whose = (
        per
        or holder
        or next((m.entity for m in r.objects if m.entity is not entity and entity.reference_to(m.entity.name)), None)
    )
    if whose is not None and entity.reference_to(whose.name) is None:
        link = next(
            (
                e
                for e in draft.entities.values()
                if closing.is_link(e) and e.reference_to(entity.name) and e.reference_to(whose.name)
            ),
            None,
        )
        return (link, whose, named.adjectives) if link else None
    return entity, whose, named.adjectives


def _by_figure(
    tokens: Sequence[Token], after: int, whose: DraftEntity | None, draft: Draft
) -> tuple[DraftEntity, DraftEntity | None, tuple[Token, ...]] | None:
    for entity in draft.entities.values():
        if whose is not None and entity.reference_to(whose.name) and after < len(tokens):
            read = conditions.field_at(tokens, after, entity)
            if read is not None and conditions.kind_of(read[0]) in {FieldType.INTEGER, FieldType.DECIMAL}:
                return entity, whose, ()
    return None


def twofold(entity: DraftEntity, parent: DraftEntity) -> bool:
    """Whether an entity refers to another in several roles (home team, away team): a rule on "its team" is open."""
    return sum(f.target == parent.name for f in entity.fields.values()) > 1


def _linked(verb: str, draft: Draft, target: DraftEntity | None, holder: DraftEntity | None) -> DraftEntity | None:
    """Find the entity that the verb makes between the two."""
    for entity in draft.entities.values():
        if not closing.is_link(entity) or (not closing.makes(verb, entity) and verb not in _HAVING):
            continue
        if (
            not closing.makes(verb, entity)
            and target is not None
            and target is not entity
            and (target.reference_to(holder.name) if holder else True)
        ):
            continue
        aimed = target is entity or target is None or entity.reference_to(target.name)
        if aimed and (holder is None or entity.reference_to(holder.name)):
            return entity
    return None


_HAVING: Final = lexicon.words("have hold make do perform get receive")
_PER_WORDS: Final = lexicon.words("per each every for by from to in on")


def _per(r: readings.Reading, draft: Draft) -> DraftEntity | None:
    tokens = (*r.frame.subject, *r.frame.rest)
    for i, token in enumerate(tokens):
        if token.low in _PER_WORDS and i + 1 < len(tokens):
            start = i + 1 + (tokens[i + 1].low in lexicon.DETERMINERS | {"single", "one"})
            mention = next((m for m in draft.mentions(tokens[start : start + 4]) if m.start <= 1), None)
            if mention is not None and (
                token.low == "per" or token.low not in {"in", "on", "to", "by", "from", "for"} or start > i + 1
            ):
                return mention.entity
    return None


def _per_others(r: readings.Reading, entity: DraftEntity, per: DraftEntity | None) -> list[str]:
    """Find further references that the count is over: "at most 4 tickets per event" of a customer."""
    holder = r.subject
    if holder is None or per is None or holder is per or holder is entity:
        return []
    reference = entity.reference_to(holder.name)
    return [reference.name] if reference else []


def _reference(entity: DraftEntity, per: DraftEntity | None) -> str | None:
    if per is None:
        return None
    field = entity.reference_to(per.name)
    return field.name if field else None


def period_in(words: Sequence[Token]) -> tuple[quantities.Period, int] | None:
    """Find a period such as "per day", also behind what else is counted for: "per plot and year"; gives its end too."""
    per = next((i for i, t in enumerate(words) if t.low == "per"), len(words))
    for i in range(per + 1, len(words) - 1):
        if words[i].low == "and" and (read := quantities.period([words[per], words[i + 1]], 0)) is not None:
            return read[0], i + 2
    for i in range(len(words)):
        if words[i].low == "at" or (
            i > 0 and words[i - 1].low in {"at", "for"} and words[i].low == "a" and words[i - 1].low == "at"
        ):
            continue
        read = quantities.period(words, i)
        if read is not None:
            return read
    return None


def period_of(words: Sequence[Token]) -> quantities.Period | None:
    """Give the period that a clause counts over; None when it names none."""
    read = period_in(words)
    return read[0] if read is not None else None


def period_field(entity: DraftEntity) -> str | None:
    """Give the date or moment that places something in a period; None: its creation."""
    field = conditions.dated(entity, "start", "starts", "from", "date", "time", "day", "scheduled", "begin", "arrival")
    if field is None:
        dates = [f for f in entity.fields.values() if conditions.kind_of(f) in conditions.DATED and not f.managed]
        field = dates[0] if len(dates) == 1 and not _ENDS & set(dates[0].name.split("_")) else None
    return field.name if field is not None and not field.managed else None


_ENDS: Final = lexicon.words(
    "due deadline until till expiry expires expiration birth end ends return returned valid to"
)


def _when(adjectives: Sequence[Token], entity: DraftEntity, r: readings.Reading) -> tuple[Condition, ...]:
    for word in adjectives:
        found = conditions.adjective(word.low, entity)
        if found is not None:
            return found
    held = _held(r, entity)
    if held is not None:
        return held
    behind = next((list(r.frame.rest[m.end : m.end + 3]) for m in r.objects if m.entity is entity), [])
    for length in range(len(behind), 0, -1):
        found = conditions.adjective(" ".join(token.low for token in behind[:length]), entity)
        if found is not None:
            return found
    at_once = ("time" in r.lows and "at" in r.lows) or {"simultaneously", "concurrently", "once", "concurrent"} & set(
        r.lows
    )
    if at_once or not period_in(r.words):
        return conditions.running(entity) or (conditions.going_on(entity) if at_once else ())
    return ()


def _held(r: readings.Reading, entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Read the condition in "only one tenancy without an end date"."""
    end = next((m.end for m in r.objects if m.entity is entity), len(r.frame.rest))
    behind = r.frame.rest[end:]
    if not behind or behind[0].low not in {"with", "without"}:
        return None
    return conditions.holding(behind[1:], entity, without=behind[0].low == "without")
