"""Reads what is looked at: lists of some of the things ("overdue loans", "the five cheapest products")."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import conditions, lexicon, morphology
from shared.software.specification import Condition, FieldType, Operator, View

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.neuron.reading.draft import Draft, DraftEntity, DraftField, Mention
    from functions.neuron.reading.rules import Reading
    from functions.neuron.reading.tokens import Token

_LOOKING: Final = lexicon.words(
    "list show display view see print browse retrieve fetch get find return report give provide expose offer "
    "have support be look query access read search include contain"
)
# superlative -> (words of the field, descending)
_SUPERLATIVES: Final[dict[str, tuple[tuple[str, ...], bool]]] = {
    "cheapest": (("price", "cost", "amount", "fee"), False),
    "dearest": (("price", "cost"), True),
    "priciest": (("price", "cost"), True),
    "newest": (("created_at",), True),
    "latest": (("created_at",), True),
    "oldest": (("created_at",), False),
    "longest": (("duration", "length", "distance"), True),
    "shortest": (("duration", "length", "distance"), False),
    "largest": (("size", "capacity", "amount", "area", "population", "quantity"), True),
    "biggest": (("size", "capacity", "amount"), True),
    "smallest": (("size", "capacity", "amount"), False),
    "heaviest": (("weight",), True),
    "lightest": (("weight",), False),
    "fastest": (("speed", "time", "duration"), True),
    "best": (("rating", "score", "points"), True),
    "worst": (("rating", "score"), False),
    "soonest": (("date", "due", "start"), False),
    "earliest": (("date", "start", "time"), False),
    "top": (("rating", "score", "points", "votes", "likes", "views"), True),
}
_EXPENSIVE: Final = {
    "expensive": ("price", "cost", "amount"),
    "recent": ("created_at",),
    "popular": ("likes", "votes", "views", "rating"),
    "valuable": ("value", "price"),
    "rated": ("rating",),
    "urgent": ("priority",),
}
_GERUNDS: Final = {
    "sorting": "sort",
    "filtering": "filter",
    "searching": "search",
    "ordering": "sort",
    "paging": "page",
    "pagination": "page",
    "listing": "list",
}


def look(r: Reading, draft: Draft) -> bool:
    """Read "list overdue loans", "search books by title or author"."""
    narrowed = _narrowed(r, draft)
    seen = _seen(r, draft)
    return narrowed or seen or _operations(r, draft)


# narrowing


def _narrowed(r: Reading, draft: Draft) -> bool:
    found = False
    for i, token in enumerate(r.words):
        kind = {
            "filter": "filters",
            "search": "search",
            "find": "search",
            "sort": "sort",
            "look": "search",
            "group": "filters",
            "narrow": "filters",
        }.get(token.verb or "") or {"sort": "sort", "filter": "filters", "search": "search"}.get(
            _GERUNDS.get(token.low, "")
        )
        kind = "sort" if token.low in {"sorted", "ordered", "sortable"} else kind
        kind = "filters" if token.low == "filterable" else "search" if token.low == "searchable" else kind
        if kind is None:
            continue
        at = next(
            (
                j
                for j in range(i + 1, min(i + 9, len(r.words)))
                if r.words[j].low in {"by", "on", "in", "with"} or r.words[j].low == "from"
            ),
            None,
        )
        if at is None:
            continue
        end = next(
            (
                j
                for j in range(at + 1, len(r.words))
                if r.words[j].verb in {"filter", "search", "sort"}
                or r.words[j].low in {"sorted", "ordered", "sorting", "filtering"}
            ),
            len(r.words),
        )
        found = _fields_by(r, draft, kind, r.words[at + 1 : end], r.words[i:at]) or found
    return found


def _fields_by(r: Reading, draft: Draft, kind: str, tokens: Sequence[Token], between: Sequence[Token]) -> bool:
    entity = _target(r, draft, between)
    found = False
    for candidate in ([entity] if entity else []) + [e for e in draft.entities.values() if e is not entity]:
        at = 0
        while (named := conditions.find_field(tokens, candidate, at)) is not None:
            draft.listings[candidate.name]["filters" if kind == "search" and _exact(named[0]) else kind].append(
                named[0].name
            )
            found = draft.mark(("listing", candidate.name))
            at = named[2]
        for mention in draft.mentions(tokens):
            reference = candidate.reference_to(mention.entity.name)
            if reference is not None and kind != "sort":
                draft.listings[candidate.name]["filters"].append(reference.name)
                found = draft.mark(("listing", candidate.name))
        if any(t.low in {"date", "creation", "newest", "created"} for t in tokens) and kind == "sort" and not found:
            found = draft.mark(("listing", candidate.name))
        if found:
            break
    if not found:
        draft.leave(tokens, "this is no field that HAL9 knows")
    return found


def _exact(item: DraftField) -> bool:
    return conditions.kind_of(item) not in {FieldType.STRING, FieldType.TEXT, FieldType.EMAIL, FieldType.URL}


def _target(r: Reading, draft: Draft, between: Sequence[Token]) -> DraftEntity | None:
    mentioned = draft.mentions(between) or (r.subjects if r.frame.group.passive else r.objects or r.subjects)
    if mentioned:
        return mentioned[0].entity
    return draft.entities.get(draft.topic or "")


# views


def _seen(r: Reading, draft: Draft) -> bool:
    tokens, looking = _looked_at(r)
    if not looking:
        return False
    found = False
    whose = next((i for i, token in enumerate(tokens) if token.low == "whose"), len(tokens))
    for mention in draft.mentions(tokens) or [m for m in r.objects if tokens is r.frame.rest]:
        if mention.start > whose:
            continue  # "whose latest inspection …" narrows what is listed, and lists no inspections
        made = _view(mention, tokens, draft)
        if made is not None:
            draft.views[made.name] = made
            found = draft.mark(("view", made.name))
    return found


_LOOKED_AT_WORDS_2: Final = lexicon.words("be have provide need want offer expose include")


_LOOKED_AT_WORDS: Final = lexicon.words("list show display retrieve view see find fetch return")


def _looked_at(r: Reading) -> tuple[Sequence[Token], bool]:
    verbs = set(r.frame.group.verbs)
    if r.frame.negated or (r.frame.only and r.frame.group.passive):
        return (), False
    if {"listable", "viewable", "visible"} & {t.low for t in r.frame.rest}:
        return r.frame.subject, True
    if r.frame.group.passive and verbs & _LOOKED_AT_WORDS:
        return r.frame.subject, True
    if r.frame.rest and "list" in [t.low for t in r.words] and verbs & _LOOKED_AT_WORDS_2:
        return r.frame.rest, True
    return r.frame.rest, bool(verbs & (_LOOKING - {"be", "have", "include", "contain", "support"}))


def _view(mention: Mention, tokens: Sequence[Token], draft: Draft) -> View | None:
    entity = mention.entity
    sort, descending, limit = _superlative(mention, tokens, entity)
    when, words = _adjectives(mention, entity)
    tail = _tail(mention, tokens, entity, draft)
    when = (*when, *tail[0])
    if sort is None and (foremost := _foremost(tokens[mention.end :], entity)) is not None:
        sort, descending = foremost
    if not when and sort is None:
        return None
    label = words + tail[1] or [t.low for t in mention.adjectives if t.is_word]
    name = morphology.name(*label, entity.plural) if label else morphology.name("selected", entity.plural)
    if sort is None and tail[2] is not None:
        sort = tail[2]
    return View(
        name=name,
        entity=entity.name,
        when=when,
        sort=sort,
        descending=descending,
        limit=limit,
        description=f"List {' '.join(label)} {entity.plural.replace('_', ' ')}".replace("  ", " "),
    )


def _foremost(behind: Sequence[Token], entity: DraftEntity) -> tuple[str, bool] | None:
    """Read "(the open bugs), most severe first", "highest price first", "oldest first": what they are sorted by."""
    lows = [t.low for t in behind if t.is_word]
    if lows[-1:] != ["first"] or len(lows) not in {_SHORTEST_TAIL, _SHORTEST_TAIL + 1}:
        return None
    descending = lows[0] in {"most", "highest", "largest", "greatest", "latest", "newest"}
    if len(lows) == _SHORTEST_TAIL:
        wanted, descending = _SUPERLATIVES.get(lows[0], ((), False))
    elif lows[0] in {"most", "least", "highest", "lowest", "largest", "smallest", "earliest", "latest"}:
        wanted = _EXPENSIVE.get(lows[1], (lows[1],))
    else:
        return None
    numeric = [f for f in entity.fields.values() if not f.target and not f.values and not f.managed]
    for word in wanted:
        found = next((f for f in numeric if any(_alike(word, part) for part in f.name.split("_"))), None)
        if found is not None or word == "created_at":
            return (found.name if found is not None else word), descending
    return None


def _alike(word: str, part: str) -> bool:
    """Whether an adjective and a noun are of one stem: severe, severity."""
    return word == part or (min(len(word), len(part)) >= _STEM and word[:_STEM] == part[:_STEM])


_STEM: Final = 5


def _adjectives(mention: Mention, entity: DraftEntity) -> tuple[tuple[Condition, ...], list[str]]:
    found: list[Condition] = []
    words: list[str] = []
    adjectives = list(mention.adjectives)
    joined = conditions.adjective(" ".join(t.low for t in adjectives), entity) if len(adjectives) > 1 else None
    if joined is not None:
        return joined, [morphology.name(*[t.low for t in adjectives])]
    for token in adjectives:
        one = conditions.adjective(token.low, entity)
        if one is not None:
            found += [c for c in one if c not in found]
            words.append(token.low)
    return tuple(found), words


def _superlative(mention: Mention, tokens: Sequence[Token], entity: DraftEntity) -> tuple[str | None, bool, int | None]:
    before = tokens[max(0, mention.start - 5) : mention.start]
    limit = next((int(t.value) for t in before if t.value is not None and 0 < t.value < 10_000), None)
    for i, token in enumerate(before):
        wanted, descending = _SUPERLATIVES.get(token.low, ((), False))
        if token.low in {"most", "least", "highest", "lowest"} and i + 1 < len(before):
            wanted, descending = (
                _EXPENSIVE.get(before[i + 1].low, (before[i + 1].low,)),
                token.low in {"most", "highest"},
            )
        if (
            token.low == "top"
            and (by := next((j for j in range(mention.end, len(tokens)) if tokens[j].low == "by"), None)) is not None
        ):
            named = conditions.find_field(tokens, entity, by)
            return (named[0].name if named else None), True, limit
        for word in wanted:
            if word == "created_at":
                return word, descending, limit
            item = next((f for n, f in entity.fields.items() if word in n.split("_") and not f.values), None)
            if item is not None:
                return item.name, descending, limit
    return None, False, None


def _tail(
    mention: Mention, tokens: Sequence[Token], entity: DraftEntity, draft: Draft
) -> tuple[tuple[Condition, ...], list[str], str | None]:
    """Read what stands behind the name: "that are overdue", "with a price below 10", "due today"."""
    rest = tokens[mention.end :]
    if not rest:
        return (), [], None
    if rest[0].low in {"that", "which", "who", "whose"} or rest[0].low in {"with", "where", "having"}:
        body = rest[1:]
        against = _against_field(body, entity)
        if against is not None:
            return against, ["matching"], None
        found = conditions.predicate(body, entity, draft)
        if found is not None:
            words = [
                t.low
                for t in body
                if t.is_word and t.low not in lexicon.BE | lexicon.HAVE | lexicon.DETERMINERS | lexicon.PREPOSITIONS
            ]
            return found, [morphology.name(*words[:4])], None
    if (
        rest[0].low == "due"
        and (item := conditions.dated(entity, "due", "deadline")) is not None
        and len(rest) > 1
        and rest[1].low == "today"
    ):
        return (Condition(field=item.name, operator=Operator.EQ, other="today"),), ["due_today"], None
    if rest[0].low == "without" and (missing := conditions.holding(rest[1:], entity, without=True)) is not None:
        return (
            missing,
            [morphology.name("without", *[t.low for t in rest[1:] if t.low not in lexicon.DETERMINERS])],
            None,
        )
    against = _against_field(rest, entity) if rest[0].low in {"below", "above", "under", "over"} else None
    return (against, [rest[0].low, "limit"], None) if against else ((), [], None)


def _against_field(tokens: Sequence[Token], entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Read "whose stock is below their reorder level"."""
    first = conditions.find_field(tokens, entity)
    at = next((i for i, t in enumerate(tokens) if t.low in {"below", "above", "under", "over", "than"}), None)
    if at is None:
        return None
    second = conditions.find_field(tokens, entity, at)
    if first is None or second is None:
        return None
    field = (
        first[0]
        if first[1] < at
        else next(
            (
                f
                for n, f in entity.fields.items()
                if n in {"stock", "quantity", "stock_count", "stock_level", "quantity_in_stock", "stock_quantity"}
            ),
            None,
        )
    )
    if (
        field is None
        or field is second[0]
        or {conditions.kind_of(field), conditions.kind_of(second[0])} & {FieldType.STRING, FieldType.REFERENCE}
    ):
        return None
    low = tokens[at].low in {"below", "under"} or tokens[at - 1].low in {"less", "lower", "smaller", "fewer"}
    return (Condition(field=field.name, operator=Operator.LT if low else Operator.GT, other=second[0].name),)


# plain operations


_TOTALS_WORDS: Final = lexicon.words("total sum average count summary report statistics percentage many much")


def _totals(r: Reading) -> bool:
    """Whether the clause asks for a figure about many things rather than for the things."""
    lows = [t.low for t in (r.frame.subject if r.frame.group.passive else r.frame.rest)]
    return bool(_TOTALS_WORDS & set(lows)) or ("number", "of") in itertools.pairwise(lows)


def _narrows(tail: Sequence[Token], entity: DraftEntity, draft: Draft) -> bool:
    """Read "with a mood" behind "list the dreams": the list can be narrowed by that field."""
    if len(tail) < _SHORTEST_TAIL or tail[0].low not in {"with", "of", "by"}:
        return False
    named = conditions.field_at(tail, 1 + (tail[1].low in lexicon.DETERMINERS), entity)
    if named is None or named[1] != len(tail):
        return False
    draft.listings[entity.name]["filters"].append(named[0].name)
    return draft.mark(("listing", entity.name))


def _narrowed_by(tail: Sequence[Token], mention: Mention, draft: Draft) -> bool:
    """Whether what stands behind a list's name says which of them are meant, so that a list of all is too many."""
    if len(tail) < _SHORTEST_TAIL or tail[1].low in {"id", "its", "their"}:
        return False
    narrows = tail[0].low in _OPERATIONS_WORDS or bool(_PRESENT & {t.low for t in tail})
    return narrows or (tail[0].low == "of" and not _belongs(tail, mention, draft))


def _belongs(tail: Sequence[Token], mention: Mention, draft: Draft) -> bool:
    """Whether "of a member" behind "list the loans" names what they belong to, or a field of theirs."""
    others = [m.entity.name for m in draft.mentions(tail)]
    return bool(others) or conditions.find_field(tail, mention.entity) is not None


_SHORTEST_TAIL: Final = 2
_PRESENT: Final = lexicon.words("current today yesterday tomorrow")
_OPERATIONS_WORDS: Final = lexicon.words(
    "by sorted grouped per that which who as with without whose having where due for"
)


def _operations(r: Reading, draft: Draft) -> bool:
    """Read "notes can be created, edited and deleted", "users can list books", "full CRUD for notes"."""
    if r.frame.negated or r.frame.only or r.frame.conditions:
        return False
    names = {
        "create": ("create",),
        "list": ("list",),
        "read": ("read",),
        "update": ("update",),
        "delete": ("delete",),
        "search": ("list",),
        "filter": ("list",),
        "sort": ("list",),
    }
    operations = [o for verb in r.frame.group.verbs for o in names.get(lexicon.OPERATION_VERBS.get(verb, ""), ())]
    operations += (
        ["create", "read", "update", "delete"]
        if set(r.frame.group.verbs) & {"manage", "maintain", "crud"} or "crud" in r.lows
        else []
    )
    mentions = r.subjects if r.frame.group.passive else r.objects
    if not operations or not mentions or _totals(r):
        return False
    for mention in mentions:
        if mention.adjectives and r.frame.rest and set(operations) <= {"list", "read"}:
            unknown = [
                t
                for t in mention.adjectives
                if t.low not in {"existing", "new", "own", "available", "whole", "single", "individual"}
            ]
            if unknown:
                draft.reasons[draft.at] = (
                    f"HAL9 does not know which {mention.entity.plural} are {' '.join(t.low for t in unknown)}."
                )
    behind = mentions[-1].end
    tokens = r.frame.subject if r.frame.group.passive else r.frame.rest
    tail = [] if r.frame.group.passive else list(tokens[behind:])
    if set(operations) <= {"list", "read"} and _narrows(tail, mentions[-1].entity, draft):
        tail = []
    for mention in mentions:
        for operation in operations:
            draft.mark(("operation", mention.entity.name, operation))
            draft.operations[mention.entity.name].add(operation)
    if set(operations) <= {"list", "read"} and _narrowed_by(tail, mentions[-1], draft):
        draft.leave(tail, "this part was not understood")
    return True


READERS: Final[tuple[Callable[[Reading, Draft], bool], ...]] = (look,)
