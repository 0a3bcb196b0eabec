"""What a thing holds, from a list of items: fields, references, lists of parts of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import fields, lexicon, morphology, quantities
from functions.neuron.reading.declarations import references
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField
from functions.neuron.reading.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Sequence

AT_LEAST: Final = "that there must be so many at least is not checked: the whole is made before its parts"


def hold(
    entity: DraftEntity, tokens: Sequence[Token], draft: Draft, later: references.Open, *, optional: bool = False
) -> bool:
    """Add the fields that the tokens list to the entity."""
    found = False
    tokens, owners = _belongings(tokens)
    tokens = _nested(tokens, entity, draft, later)
    for owner in owners:
        for item in fields.items(owner):
            found = references.refer_to_item(entity, item, draft, later, optional=False) or found
    for item in _in_roles(fields.items(tokens), draft):
        found = _of_another(entity, item, draft, later) or found
        if optional and item.field.required is None:
            item.field.required = False
        found = _hold_one(entity, item, draft, later) or found
        for part in item.left:
            draft.leave(part, "this part of the field's description was not understood")
    if found:
        entity.declared = True
        draft.mark(("entity", entity.name))
        draft.topic = entity.name
    return found


def _of_another(entity: DraftEntity, item: fields.Item, draft: Draft, later: references.Open) -> bool:
    """Read "(a grade records) the score of a student" as a score, and the student whose it is."""
    of = next((i for i, t in enumerate(item.tokens) if t.low == "of" and i), None)
    told = of is not None and of + 2 < len(item.tokens) and item.tokens[of + 1].low in {"a", "an", "each", "every"}
    if of is None or not told or "of" not in item.field.words:
        return False
    cut = item.field.words.index("of")
    words = item.field.words[cut + 1 :]
    owner = draft.known(words)
    if owner is None or owner is entity or not cut:
        return False
    item.field.words = item.field.words[:cut]
    item.field.name = morphology.name(*item.field.words)
    other = fields.Item(DraftField(owner.name, words=owner.words), item.tokens[of + 1 :], determined=True)
    return references.refer_to_item(entity, other, draft, later, optional=False)


def _in_roles(items: list[fields.Item], draft: Draft) -> list[fields.Item]:
    """Read "two members, a leader and a companion" as two fields, in each of which stands a member."""
    for at, item in enumerate(items):
        count = int(item.bound.low or 0) if item.bound is not None and item.bound.exact else 0
        roles = items[at + 1 : at + 1 + count]
        named = draft.known(item.field.name.split("_")) is not None and item.many and count > 1
        if named and len(roles) == count and len(items) == at + 1 + count and all(_is_role(role) for role in roles):
            for role in roles:
                role.field.role_of = (morphology.singular(item.field.name),)
            return [*items[:at], *roles]
    return items


def _is_role(item: fields.Item) -> bool:
    plain = item.field.type is None and not item.field.values and item.field.minimum is None
    return item.determined and plain and not morphology.is_plural(item.field.name)


def _hold_one(entity: DraftEntity, item: fields.Item, draft: Draft, later: references.Open) -> bool:
    """Add one thing that an entity holds: a field, or many of another entity."""
    name = item.field.name.removesuffix(f"_of_{entity.name}") or item.field.name
    item.field.name = name
    nameless = name.startswith("item") and "item" not in " ".join(item.field.words)
    if not name or nameless or name in {"following", "same", "fields"}:
        return False
    if name == "id":
        return draft.mark(("entity", entity.name))
    if not _is_many(item, draft):
        item.field.at = draft.at
        added = entity.add(item.field)
        return draft.mark(("field", entity.name, added.name))
    if draft.known(name.split("_")) is entity:
        draft.leave(item.tokens, "that things of one kind belong to others of the same kind is not kept")
        return True
    later.many.append((entity.name, name, draft.at, item.bound, False))
    if item.bound is not None and item.bound.low is not None and item.bound.low > 0 and not item.bound.exact:
        draft.leave(item.tokens, AT_LEAST)
    return draft.mark(("many", entity.name, name))


def _nested(tokens: Sequence[Token], entity: DraftEntity, draft: Draft, later: references.Open) -> Sequence[Token]:
    """Read "lines with a description and a price" inside of a list: the lines' own fields."""
    for i in range(1, len(tokens) - 1):
        token = tokens[i]
        if token.low not in {"with", "having"} and not (
            token.low == "each" and tokens[i + 1].low in {"with", "having"}
        ):
            continue
        start = i + 1 + (token.low == "each")
        before = tokens[i - 1] if tokens[i - 1].text != "," or i < 2 else tokens[i - 2]
        if (
            not morphology.is_plural(before.low)
            or start >= len(tokens)
            or tokens[start].low not in lexicon.ARTICLES
            or quantities.bound(tokens, start) is not None
        ):
            continue
        item = fields.items(tokens[:i])
        if not item or not item[-1].field.name:
            continue
        held = item[-1].field.name
        words = held.split("_")
        if _so_many_of(entity, draft.known(words), tokens[start:], draft, later):
            return tokens[:i] if len(item) > 1 else ()
        child = draft.known(words) or draft.entity(
            morphology.name(*words[:-1], morphology.singular(words[-1])), declared=True
        )
        later.many.append((entity.name, held, draft.at, item[-1].bound, False))
        draft.mark(("many", entity.name, held))
        hold(child, tokens[start:], draft, later)
        draft.topic = entity.name
        return tokens[:i]
    return tokens


def _so_many_of(
    entity: DraftEntity, held: DraftEntity | None, said: Sequence[Token], draft: Draft, later: references.Open
) -> bool:
    """Read "(an order contains) cakes with a quantity" where cakes are things of their own: what ties the two."""
    counts = any(_QUANTITIES & set(item.field.name.split("_")) for item in fields.items(said))
    own = held is not None and held.declared and any(f.target is None for f in held.fields.values())
    if held is None or held is entity or not own or not counts or _QUANTITIES & set(held.fields):
        return False
    tie = draft.entity(morphology.name(entity.name, held.name), declared=True)
    for one in (entity, held):
        references.refer(tie, one.name, draft, optional=False)
    return hold(tie, said, draft, later) and draft.mark(("entity", tie.name))


_QUANTITIES: Final = frozenset({"quantity", "amount", "count"})


def _belongings(tokens: Sequence[Token]) -> tuple[list[Token], list[list[Token]]]:
    """Take "belongs to a project" out of a list of fields."""
    kept: list[Token] = []
    owners: list[list[Token]] = []
    i = 0
    while i < len(tokens):
        if tokens[i].verb == "belong" and i + 1 < len(tokens) and tokens[i + 1].low == "to":
            end = next((j for j in range(i + 2, len(tokens)) if tokens[j].text in {",", ";", "("}), len(tokens))
            owners.append(list(tokens[i + 2 : end]))
            i = end
            continue
        kept.append(tokens[i])
        i += 1
    return kept, owners


_IS_MANY_WORDS: Final = lexicon.words("tags labels items lines comments categories genres keywords")


def _is_many(item: fields.Item, draft: Draft) -> bool:
    name = item.field.name.split("_")[-1]
    if (
        item.field.values
        or item.field.type is not None
        or item.field.minimum is not None
        or "of" in item.field.words
        or item.field.unique
    ):
        return False
    if not morphology.is_plural(name):
        return False
    if item.many:
        return True
    known = draft.known(item.field.name.split("_"))
    return known is not None or (name in _IS_MANY_WORDS)
