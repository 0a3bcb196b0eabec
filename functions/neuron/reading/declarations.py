"""Reads what there is: the things that the software keeps, what they hold, and how they belong together.

First of the two readings of a request. Each reader takes a clause and says whether it found something in it. Names
that only later clauses explain are kept
open ("a book has an author" is a reference when authors turn out to be entities), and closed by `closing`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import fields, frames, lexicon, morphology, quantities
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField
from functions.neuron.reading.tokens import Kind, Token
from functions.neuron.reading.tokens import Kind as TokenKind
from shared.software.specification import FieldType, Relation
from shared.software.specification import Kind as SoftwareKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.clauses import Clause

# Nouns that stand for the software or its users at large, never for something that it keeps, unless the request says
# what they hold.
ACTORS: Final = lexicon.words(
    "user admin administrator client person developer visitor operator staff manager moderator librarian "
    "employee-user receptionist reader-user api-user end-user clerk caller"
)
_SYSTEM: Final = lexicon.words(
    "system api service app application tool program cli library package backend server website platform "
    "software module solution we you i it they anyone everyone someone command utility script database "
    "interface endpoint response output input data information url web tui user-interface error code "
    "field attribute property rule way following one list each"
)
GENERIC: Final = ACTORS | _SYSTEM
_COLLECTIVE: Final = lexicon.words(
    "shop store library clinic hospital school gym company restaurant hotel bookshop bookstore club cinema "
    "theatre theater bank garage warehouse museum zoo farm bakery salon studio agency office business "
    "university college festival airline team organisation organization"
)
_MAKING_VERBS: Final = lexicon.words(
    "place make create write submit leave post open file give own issue raise add publish upload send record "
    "log register start organise organize host propose sell list offer run teach"
)
_BELONGING: Final = lexicon.words("belong refer relate link point attach connect associate")
_NOT_ENTITIES: Final = GENERIC | lexicon.words(
    "name title email price date status type description number count amount list total sum average report "
    "overview summary csv json file text word character"
)
_ATTRIBUTE_NOUNS: Final = lexicon.words(
    "number name title code date time day amount price email address phone quantity count year age"
)
SHARED_NOUNS: Final = lexicon.words(
    "author tag genre category label keyword student ingredient song skill actor member user participant "
    "attendee guest speaker teacher player allergen topping amenity feature permission role product course "
    "language topic director artist instructor sponsor volunteer club person group"
)
AT_LEAST: Final = "that there must be so many at least is not checked: the whole is made before its parts"
_ROLE_PREPOSITIONS: Final = lexicon.words("per to for in on of from at with by into as about against")


@dataclass
class Open:
    """What the first reading leaves open until all entities are known."""

    many: list[tuple[str, str, int, quantities.Bound | None, bool]] = field(
        default_factory=list
    )  # holder, name of what it holds many of, clause, bound, said "can be in many"
    links: list[tuple[str, str, tuple[str, ...], int, list[Token]]] = field(
        default_factory=list
    )  # verb, subject, objects, clause, what stands behind
    transitives: list[tuple[str, str, int]] = field(default_factory=list)  # subject, object, clause
    makers: list[tuple[str, str, tuple[str, ...], int]] = field(
        default_factory=list
    )  # maker, what it makes, what that is for, clause
    deeds: list[tuple[str, str, str, int]] = field(
        default_factory=list
    )  # verb, who, what, clause: what may be done only so often, and so is kept
    ties: list[tuple[str, tuple[tuple[Token, ...], ...], int]] = field(
        default_factory=list
    )  # record, the parts of the sentence that says what it ties together, clause


def subject_names(tokens: Sequence[Token], draft: Draft) -> list[str]:
    """Give the names (in the singular) of what a subject speaks of; a pronoun stands for the topic."""
    names: list[str] = []
    part: list[Token] = []
    for token in [*tokens, None]:
        if token is not None and token.low not in {"and", "or", ","}:
            part.append(token)
            continue
        name = noun_name(part, draft)
        if name:
            names.append(name)
        part = []
    return list(dict.fromkeys(names))


_NOUN_NAME_WORDS: Final = lexicon.words("single new existing given registered individual such here more most least")


def noun_name(part: Sequence[Token], draft: Draft) -> str | None:
    """Give the name of the thing that a noun phrase speaks of, without its determiners and what follows its head."""
    start = next((i for i, t in enumerate(part) if not _leads(t)), len(part))
    if start < len(part) and part[start].low in lexicon.PRONOUNS - {"one", "that"}:
        return draft.topic if part[start].low in {"it", "they", "he", "she"} else None
    if [token.low for token in part] == ["each"]:
        return draft.topic if _only_listed(draft) else None
    end = next((i for i in range(start, len(part)) if _ends_noun(part[i], first=i == start)), len(part))
    if any(token.kind is Kind.POSSESSIVE for token in part[:end]):
        return None
    words = [token for token in part[start:end] if token.is_word and token.value is None]
    if not words or len(words) > 4:
        return None
    known = next((e for i in range(len(words)) if (e := draft.known([token.low for token in words[i:]]))), None)
    return known.name if known is not None else _fresh_name(words)


def _only_listed(draft: Draft) -> bool:
    """Whether the clause before lists things of one kind and says no more, so that "each" is each of these."""
    before = [mark for mark in draft.marks[draft.at - 1] if mark != ("kind",)]
    return before == [("entity", draft.topic)] and set(draft.entities) == {draft.topic}


def _leads(token: Token) -> bool:
    """Whether a token stands in front of a noun without belonging to its name."""
    if token.low in lexicon.PRONOUNS - {"one", "that"} or token.text in {"(", "["} or token.kind is Kind.POSSESSIVE:
        return False
    leading = lexicon.DETERMINERS | lexicon.ADVERBS | _NOUN_NAME_WORDS | lexicon.PREPOSITIONS | {"same", "other", "own"}
    return not token.is_word or token.value is not None or token.low in leading


def _ends_noun(token: Token, *, first: bool) -> bool:
    """Whether a noun's name is over before this token."""
    behind = lexicon.PREPOSITIONS | lexicon.RELATIVES | lexicon.MODALS | lexicon.BE | _AFTER_NOUNS
    return token.text in {"(", "["} or (not first and token.low in behind)


_AFTER_NOUNS: Final = frozenset({"twice", "once", "again", "more", "only", "each"})


def _fresh_name(words: list[Token]) -> str:
    """Name something that is new: its noun in the singular, without participles in front ("registered users")."""
    vague = {"active", "different", "various", "following", "open"}
    while len(words) > 1 and (morphology.is_participle(words[0].low) or words[0].low in vague):
        words = words[1:]
    head = words[-1].singular if words[-1].kind is Kind.WORD else morphology.singular(words[-1].text)
    return morphology.name(*[token.low if token.kind is Kind.WORD else token.text for token in words[:-1]], head)


def is_generic(name: str | None) -> bool:
    """Whether the name stands for the software or anyone, rather than for something kept."""
    return (
        name is None
        or name.replace("_", "-") in GENERIC
        or name.split("_")[0] in {"total", "sum", "average"}
        or name.split("_")[-1] in {"api", "tool", "app", "system", "service", "cli", "program", "crm"}
        or (name.endswith("_library") and name.split("_")[0] in {"python", "validation", "utility", "small", "math"})
    )


UNITS: Final = lexicon.words("hour minute day week month year time money point mile kilometre kilometer step")


def read(clause: Clause, draft: Draft, later: Open, words: Sequence[Token]) -> bool:
    """Read a clause for what it declares; True when it declares something. `words`: its words, or what is left."""
    if clause.intro:
        return introduction(clause, draft, later)
    if draft.at == 0 and draft.kind is SoftwareKind.COMMAND_LINE and _commanded(words, draft, later):
        return draft.mark(("kind",))
    if clause.header and (found := _under_header(clause, draft, later)) is not None:
        return found
    if (
        colon := next((i for i, t in enumerate(words[:8]) if t.text in {":", "—", "\u2013", "-", "("} and i > 0), None)
    ) is not None and _labelled(words, colon, draft, later):
        return True
    if _listed_entities(words, draft, later):
        return True
    bare = _bracketed_subject(words, draft, later)
    frame = frames.parse(bare)
    if frame is None:
        return _verbless(bare, draft, later)
    return of_frame(frame, draft, later)


def of_frame(frame: frames.Frame, draft: Draft, later: Open) -> bool:
    """Read a clause that has been taken apart."""
    return not _reports(frame, draft) and any(
        reader(frame, draft, later)
        for reader in (_holding, _belonging, _managing, _ordering, _consisting, _linking, _transitive)
    )


_REPORTING: Final = lexicon.words("show list print report display output tell give return present")
_FIGURES: Final = lexicon.words("total totals sum sums number count average mean")
_EACH: Final = lexicon.words("each every per")


def _reports(frame: frames.Frame, draft: Draft) -> bool:
    """Whether the software shows a figure for each of something: it is worked out, and nothing holds it.

    So it is too when the sentence goes on from a thing, and the figure is for each value of the thing's own field.
    """
    lows = [t.low for t in frame.rest]
    at = next((i for i, low in enumerate(lows) if low in _FIGURES), len(lows))
    each = next((i for i in range(at, len(lows)) if lows[i] in _EACH), None)
    if each is None or not _REPORTING & set(frame.group.verbs):
        return False
    if not frame.subject or frame.subject[0].low in {"it", "they"}:
        return True
    things = [name for name in subject_names(frame.subject, draft) if not is_generic(name)]
    held = {field for name in things if name in draft.entities for field in draft.entities[name].fields}
    return not things or morphology.name(*lows[each + 1 :]) in held


# introductions


_INTRODUCTION_WORDS: Final = lexicon.words("manage track store organise organize catalogue administer maintain")


def introduction(clause: Clause, draft: Draft, later: Open) -> bool:
    """Read "An API for managing projects and tasks": what is kept, as far as it is said."""
    words = clause.tokens
    draft.mark(("kind",))
    if _commanded(words, draft, later):
        return True
    for i, token in enumerate(words):
        if token.low in {"for", "with"} and i + 1 < len(words) and not words[i + 1].low.endswith("ing"):
            if _listed_entities(words[i + 1 :], draft, later):
                return True
            held = next((j for j in range(i + 1, len(words)) if words[j].low in {"with", "having"}), None)
            if (
                held is not None
                and held > i + 1
                and morphology.is_plural(words[held - 1].low)
                and _declare_list(words[i + 1 :], draft, later)
            ):
                return True
            if (
                token.low == "with"
                and i + 2 <= len(words)
                and morphology.is_plural(words[-1].low)
                and words[i + 1].low not in lexicon.ARTICLES
            ):
                return _declare_list(words[i + 1 :], draft, later, weak=True)
    for i, token in enumerate(words):
        following = _kept_from(words, i, token)
        if following is not None:
            _declare_list(words[following:], draft, later, weak=True)
            break
    return True


def _kept_from(words: Sequence[Token], i: int, token: Token) -> int | None:
    """Give where what is kept begins, behind "manages", "keeps track of", "handling", "keeps a list of"."""
    if token.verb in _INTRODUCTION_WORDS and token.low != "management" and i > 0:
        return i + 1
    if token.verb == "keep" and quantities.phrase(words, i + 1, "track of"):
        return i + 3
    if token.verb in {"keep", "hold"} and i:
        return _of_many(words, i + 1)
    return i + 1 if token.verb == "handle" and token.low.endswith("ing") else None


_MANY: Final = ("collection", "list", "log", "catalogue", "catalog", "record", "register", "inventory", "set", "number")


def _of_many(words: Sequence[Token], at: int) -> int | None:
    """Give the position behind "a collection of", "my list of"."""
    at += at < len(words) and words[at].low in lexicon.ARTICLES
    named = at + 1 < len(words) and words[at].singular in _MANY and words[at + 1].low == "of"
    return at + 2 if named else None


_ENTERING: Final = lexicon.words("collect note catch capture enter keep track")


def _commanded(words: Sequence[Token], draft: Draft, later: Open) -> bool:
    """Read "a tool for adding, listing and removing notes": the commands, and what they are on."""
    start = next(
        (i + 1 for i, t in enumerate(words[:-1]) if t.low in _BEFORE_COMMANDS and _command(words[i + 1])), None
    )
    if start is None:
        return False
    verbs: list[str] = []
    i = start
    while i < len(words) and (words[i].low in _JOINTS or _command(words[i]) is not None):
        verb = _command(words[i]) if words[i].low not in _JOINTS else None
        verbs += [verb] if verb is not None else []
        i += 1
        if verb is not None and words[i - 2].low in {"and", "or"}:
            break
    operations = {lexicon.OPERATION_VERBS.get(verb, "create") for verb in verbs}
    if len(verbs) < _SEVERAL_COMMANDS or i >= len(words):
        return False
    stop = next((j for j in range(i, len(words)) if words[j].low in lexicon.PREPOSITIONS | {"("}), len(words))
    if stop <= i or not morphology.is_plural(words[stop - 1].low) or not _declare_list(words[i:], draft, later):
        return False
    for name in subject_names(words[i:stop], draft):
        draft.operations[name].update(operations)
        for verb in verbs:
            draft.verbs.setdefault((name, lexicon.OPERATION_VERBS.get(verb, "create")), verb)
        for operation in sorted(operations):
            draft.mark(("operation", name, operation))
    return True


_JOINTS: Final = frozenset({",", "and", "or", "both"})
_BEFORE_COMMANDS: Final = frozenset({"for", "that", "which", "to", "can"})
_SEVERAL_COMMANDS: Final = 2


def _command(token: Token) -> str | None:
    """Give the verb of a word that names a command: add, adds, adding."""
    verb = token.verb
    return verb if verb in _ENTERING or verb in lexicon.OPERATION_VERBS else None


def _declare_list(tokens: Sequence[Token], draft: Draft, later: Open, *, weak: bool = False) -> bool:
    """Declare the entities of "projects and tasks", or the one of "books with a title and an author"."""
    cut = next(
        (i for i, t in enumerate(tokens) if t.low in {"with", "having", "including"} or t.text == "("), len(tokens)
    )
    found = False
    head = tokens[:cut]
    stop = next((i for i, t in enumerate(head) if t.low in lexicon.PREPOSITIONS - {"of"}), len(head))
    names = subject_names(head[:stop], draft)
    fresh = {name for name in names if name not in draft.entities}
    entities = [
        draft.entity(name, declared=True) for name in names if name not in _NOT_ENTITIES or draft.entities.get(name)
    ]
    if weak:
        draft.weak.update(fresh)
        entities = [e for e in entities if e.name not in fresh or _is_plural_noun(head[:stop], e.name)]
        for name in fresh - {e.name for e in entities}:
            draft.entities.pop(name, None)
    if tokens and tokens[0].low in {"my", "our"}:
        whole = {name for name in fresh if not _is_plural_noun(head[:stop], name)}
        draft.weak |= whole
        draft.whole |= whole
    for entity in entities:
        found = draft.mark(("entity", entity.name))
        draft.topic = entity.name
    if cut < len(tokens) and entities:
        held = tokens[cut + 1 :]
        if tokens[cut].text == "(":
            held = tokens[cut + 1 : frames.close_of(tokens, cut)]
        hold(entities[-1], held, draft, later)
    return found


def _is_plural_noun(tokens: Sequence[Token], name: str) -> bool:
    last = name.split("_")[-1]
    return any(morphology.is_plural(t.low) and t.singular == last for t in tokens)


# what holds what


def _under_header(clause: Clause, draft: Draft, later: Open) -> bool | None:
    """Read a line of a list under "A book has:", "Books:" or "Book fields:"."""
    frame = frames.parse(clause.words)
    colon = next((i for i, t in enumerate(clause.tokens[:6]) if t.text in {":", "—", "\u2013"}), None)
    header = frames.parse(clause.header[:-1] if clause.header[-1].text == ":" else clause.header)
    if header is not None and header.verb in lexicon.HOLDING_VERBS and header.subject:
        subjects = [name for name in subject_names(header.subject, draft) if not is_generic(name)]
        if subjects and frame is None:
            hold(draft.entity(subjects[0], declared=True), clause.tokens, draft, later)
            return draft.settle()
        return None
    if frame is not None or (
        colon is not None and header is None and len(clause.tokens) > 3 and any(t.text == "," for t in clause.tokens)
    ):
        return None
    names = subject_names(
        [t for t in clause.header if t.low not in {"fields", "attributes", "properties", "field"}], draft
    )
    if (
        header is None
        and len(names) == 1
        and not is_generic(names[0])
        and names[0] not in _NOT_ENTITIES
        and not any(
            w in names[0].split("_")
            for w in (
                "rule",
                "feature",
                "requirement",
                "command",
                "entity",
                "resource",
                "function",
                "api",
                "tool",
                "endpoint",
                "operation",
            )
        )
    ):
        hold(draft.entity(names[0], declared=True), clause.tokens, draft, later)
        headed = next((i for i, c in enumerate(draft.clauses) if c.tokens == clause.header), None)
        if headed is not None:
            draft.marks[headed].append(("entity", names[0]))
        return draft.settle()
    return None


def _listed_entities(words: Sequence[Token], draft: Draft, later: Open) -> bool:
    """Read "members (name, email), books (title, author) and meetings (date, place)"."""
    read_ones: list[tuple[str, Sequence[Token]]] = []
    if len(words) > 2 and any(token.text == "(" for token in words):
        passed = 2 if words[0].low in {"we", "i"} and words[1].verb is not None else 0
        words = words[1 if words[0].low in lexicon.MANAGING_VERBS else passed :]
    i = 0
    while i < len(words):
        entry = _listed_entity(words, i, draft)
        if entry is None:
            return False
        read_ones.append(entry[:2])
        i = entry[2]
    lists = any(t.text in {",", ";"} for _, body in read_ones for t in body)
    alone = len(read_ones) == 1 and not morphology.is_plural(words[0].low) and words[0].low not in lexicon.DETERMINERS
    if not lists or alone:
        return False
    for name, body in read_ones:
        entity = draft.entity(name, declared=True)
        draft.mark(("entity", entity.name))
        hold(entity, body, draft, later)
    return draft.settle()


def _listed_entity(words: Sequence[Token], at: int, draft: Draft) -> tuple[str, Sequence[Token], int] | None:
    """Read one thing of such a list: its name, what its brackets hold, and the position behind it."""
    i = at
    while i < len(words) and (words[i].text == "," or words[i].low in {"and", "with"}):
        i += 1
    if at and i == at:
        return None
    start = i
    ending = lexicon.BE | lexicon.MODALS | lexicon.HAVE | {"and"}
    while i < len(words) and words[i].is_word and words[i].low not in ending:
        i += 1
    head = next((j for j in range(start + 1, i) if words[j].low in {"to", "for", "of", "in", "on"}), i)
    name = noun_name(words[start:head], draft) if start < head <= start + 4 and i <= start + _LONGEST_HEAD else None
    if name is None:
        return None
    plural = morphology.is_plural(words[head - 1].low)
    if i >= len(words) or words[i].text == "," or words[i].low == "and":
        return (name, (), i) if plural else None
    if words[i].text != "(" or not (plural or _may_hold(name)):
        return None
    end = frames.close_of(words, i)
    return name, words[i + 1 : end], end + 1


_LONGEST_HEAD: Final = 7


def _bracketed_subject(words: Sequence[Token], draft: Draft, later: Open) -> Sequence[Token]:
    """Read "gardeners (name, email) can request packets (kind, price)": what the brackets list belongs to the name."""
    bare = _bracketed(words, draft, later)
    return _bracketed_object(bare, draft, later) if bare is not words else words


def _bracketed_object(words: Sequence[Token], draft: Draft, later: Open) -> Sequence[Token]:
    at = next((i for i, t in enumerate(words) if t.text == "(" and i), None)
    if at is None or not morphology.is_plural(words[at - 1].low):
        return words
    end = frames.close_of(words, at)
    if not any(t.text in {",", ";"} for t in words[at:end]):
        return words
    name = morphology.name(words[at - 1].singular)
    if is_generic(name):
        return words
    hold(draft.entity(name, declared=True), words[at + 1 : end], draft, later)
    return [*words[:at], *words[end + 1 :]]


def _bracketed(words: Sequence[Token], draft: Draft, later: Open) -> Sequence[Token]:
    at = next((i for i, t in enumerate(words[:6]) if t.text == "("), None)
    if at is None or at == 0 or not all(t.is_word for t in words[:at]) or frames.finite_verb(words[:at], 0) is not None:
        return words
    end = frames.close_of(words, at)
    bare = [*words[:at], *words[end + 1 :]]
    verb = frames.finite_verb(bare, 0)
    name = noun_name(words[:at], draft)
    if verb != at or name is None or not any(t.text in {",", ";"} for t in words[at:end]):
        return words
    hold(draft.entity(name, declared=True), words[at + 1 : end], draft, later)
    return bare


def _labelled(words: Sequence[Token], colon: int, draft: Draft, later: Open) -> bool:
    """Read "Books: ISBN (unique), title, copies" and "Book (title, author)"."""
    head = words[:colon]
    if (
        frames.finite_verb(words[:colon], 0) is not None
        or frames.imperative_at(words, 0)
        or not all(t.is_word for t in head)
    ):
        return False
    bracket = words[colon].text == "("
    if words[colon].text == "-" and (colon + 1 >= len(words) or words[colon + 1].start == words[colon].end):
        return False
    body = words[colon + 1 : frames.close_of(words, colon)] if bracket else words[colon + 1 :]
    if bracket and (frames.close_of(words, colon) != len(words) - 1 or len(body) < 3):
        return False
    if frames.finite_verb(body, 0, conjoined=False) is not None or frames.imperative_at(body, 0):
        return False
    name = noun_name(head, draft)
    if (
        name is None
        or not _may_hold(name)
        or (draft.kind is SoftwareKind.LIBRARY and name.split("_")[-1] in {"library", "package", "module"})
        or (name in {"note", "example", "constraint", "validation", "feature", "requirement"} and len(body) > 12)
    ):
        return False
    if not bracket and _lists_things(body):
        return _listed_entities(body, draft, later)
    entity = draft.entity(name, declared=True)
    draft.mark(("entity", entity.name))
    draft.topic = entity.name
    return hold(entity, body, draft, later) and draft.settle()


def _lists_things(tokens: Sequence[Token]) -> bool:
    """Whether a list is one of things that hold something: "companies (name, website), contacts (name, email)"."""
    opened = next((i for i, t in enumerate(tokens) if t.text == "(" and i), None)
    if opened is None or not morphology.is_plural(tokens[opened - 1].low) or opened > 3:
        return False
    return any(t.text == "," for t in tokens[opened : frames.close_of(tokens, opened)])


def hold(entity: DraftEntity, tokens: Sequence[Token], draft: Draft, later: Open, *, optional: bool = False) -> bool:
    """Add the fields that the tokens list to the entity."""
    found = False
    tokens, owners = _belongings(tokens)
    tokens = _nested(tokens, entity, draft, later)
    for owner in owners:
        for item in fields.items(owner):
            found = _refer(entity, item, draft, later, optional=False) or found
    for item in fields.items(tokens):
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


def _hold_one(entity: DraftEntity, item: fields.Item, draft: Draft, later: Open) -> bool:
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
    later.many.append((entity.name, name, draft.at, item.bound, False))
    if item.bound is not None and item.bound.low is not None and item.bound.low > 0 and not item.bound.exact:
        draft.leave(item.tokens, AT_LEAST)
    return draft.mark(("many", entity.name, name))


def _nested(tokens: Sequence[Token], entity: DraftEntity, draft: Draft, later: Open) -> Sequence[Token]:
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
        child = draft.known(words) or draft.entity(
            morphology.name(*words[:-1], morphology.singular(words[-1])), declared=True
        )
        later.many.append((entity.name, held, draft.at, item[-1].bound, False))
        draft.mark(("many", entity.name, held))
        hold(child, tokens[start:], draft, later)
        draft.topic = entity.name
        return tokens[:i]
    return tokens


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


_HOLDING_WORDS_3: Final = lexicon.words(
    "have include contain comprise consist hold possess need require carry capture specify feature record "
    "store show track"
)


_HOLDING_WORDS_2: Final = lexicon.words("have store track record include hold contain show")


_HOLDING_WORDS: Final = lexicon.words("record store track show need require include hold specify capture")


_TOLD: Final = frozenset({"who", "which", "when", "how"})


def _holding(frame: frames.Frame, draft: Draft, later: Open) -> bool:
    verb = frame.verb
    passive_record = (
        frame.group.passive
        and verb in {"identify", "describe", "define", "characterise", "know", "recognise"}
        and frame.rest
        and frame.rest[0].low in {"by", "with"}
    )
    tells = (
        verb in {"say", "tell", "note", "state"} and frame.rest and frame.rest[0].low in {"who", "which", "when", "how"}
    )
    lists = tells or (verb == "list" and bool(frame.subject) and frame.subject[0].low in {"a", "an", "each", "every"})
    if not frame.subject or frame.negated or not (verb in _HOLDING_WORDS_3 or passive_record or lists):
        return False
    shown = verb == "show" and frame.subject[0].low == "it" and draft.kind is not SoftwareKind.API
    if shown or any(t.low in {"how", "whether", "what"} for t in frame.subject):
        return False  # the program shows, not the thing that was spoken of last
    if frame.group.passive and not passive_record and verb in _HOLDING_WORDS:
        return False
    subjects = subject_names(frame.subject, draft)
    named = [
        name
        for name in subjects
        if (_may_hold(name) or morphology.is_plural(frame.subject[-1].low))
        and (
            not is_generic(name)
            or (verb in {"have", "consist", "contain", "include"} and (name not in _SYSTEM or verb == "have"))
            or (name in draft.entities and draft.entities[name].declared)
        )
    ]
    rest = frame.rest[1:] if frame.rest and frame.rest[0].low in {"of", "by", "with"} else frame.rest
    speaker = frame.subject[0].low in {"it", "we", "there"} or bool(subjects)
    if (
        not named
        and speaker
        and verb in {"have", "include", "contain", "store", "track"}
        and _listed_entities(rest, draft, later)
    ):
        return True
    if frame.subject[0].low in {"our", "my"} and verb in _MANAGING_WORDS | {"record", "store", "keep"}:
        return _declare_list(rest, draft, later)
    if not named:
        return speaker and verb in _HOLDING_WORDS_2 and _declare_list(rest, draft, later)
    if frame.conditions or any(quantities.is_number(t) or t.low in lexicon.RELATIVES for t in frame.subject):
        return False
    if named[0] in _COLLECTIVE and verb == "have" and named[0] not in draft.entities and not _singular_items(rest):
        return _declare_list(rest, draft, later)
    if _is_rule(frame, draft):
        return False
    optional = frame.modal in {"may", "can", "might", "could"}
    _of_owner(frame.subject, named, draft)
    return (
        all([hold(draft.entity(name, declared=True), rest, draft, later, optional=optional) for name in named])  # noqa: C419 - every one is to be held
        and draft.settle()
    )


def _of_owner(subject: Sequence[Token], named: Sequence[str], draft: Draft) -> None:
    """Let the inspections in "inspections of a hive record …" refer to their hive."""
    of = next((i for i, t in enumerate(subject[:-2]) if i and t.low in {"of", "for", "by"}), None)
    if of is None or subject[of + 1].low not in {"a", "an", "each", "every"}:
        return
    owner = next((m.entity for m in draft.mentions(subject[of + 1 :])), None)
    for name in named if owner is not None else ():
        entity = draft.entity(name, declared=True)
        if owner is not None and owner is not entity and entity.reference_to(owner.name) is None:
            refer(entity, owner.name, draft, optional=False)


def _singular_items(tokens: Sequence[Token]) -> bool:
    return any(token.low in {"a", "an"} for token in tokens[:1])


def _may_hold(name: str) -> bool:
    """Whether a noun can be the name of something that is kept when the request says what it holds."""
    return name.replace("_", "-") not in _SYSTEM and name.split("_")[-1] not in {"api", "app", "cli", "backend"}


def _is_rule(frame: frames.Frame, draft: Draft) -> bool:
    """Whether "have" bounds a number of things that exist elsewhere ("may have at most 3 open loans")."""
    one_per = [t.low for t in frame.rest[:1]] in (["one"], ["a"], ["1"]) and any(
        t.low == "per" for t in frame.rest[1:4]
    )
    if one_per and len(draft.mentions(frame.rest)) > 1:
        return True
    if not frame.rest or frame.modal is None:
        return False
    if frame.only and frame.rest[0].low in {"one", "a", "1"}:
        return True
    bound = quantities.bound(frame.rest, 0) or (
        quantities.bound(frame.rest, 1) if frame.rest[0].low in {"only", "a"} else None
    )
    if bound is None:
        return False
    counted = any(quantities.period(frame.rest, i) is not None for i in range(bound[1], len(frame.rest)))
    at_once = [t.low for t in frame.rest[-3:]] in (["at", "a", "time"], ["the", "same", "time"]) or (
        [t.low for t in frame.rest[-2:]] == ["at", "once"]
    )
    if bound[0].high is not None and (counted or at_once):
        return True
    mentioned = draft.mentions(frame.rest[bound[1] :])
    return (
        bool(mentioned)
        and mentioned[0].entity.name not in set(subject_names(frame.subject, draft))
        and (bound[0].high is not None or bound[0].low is not None)
    )


_BELONGING_WORDS_4: Final = lexicon.words("assign connect link join relate pair match combine associate tie bind")


_BELONGING_WORDS_3: Final = lexicon.words("by to in for from on at with against under")


_BELONGING_WORDS_2: Final = lexicon.words("a an one exactly some the several many multiple")


_BELONGING_WORDS: Final = lexicon.words("for of in on at by about between from")


def _references_one(frame: frames.Frame) -> bool:
    """Whether a clause says that one thing references another: "an item references an order and a cake"."""
    verbal = frame.verb in {"reference", "concern", "involve"} and not frame.group.passive
    return verbal and bool(frame.rest) and frame.rest[0].low in {"a", "an", "one"}


def _as_belonging(frame: frames.Frame, rest: tuple[Token, ...], *, joins: bool) -> tuple[Token, ...]:
    """Write what references or joins others as what belongs to them."""
    if _references_one(frame):
        return (replace_token(rest[0]), *rest)
    return (rest[0], *[replace_token(t) if t.low in {"with", "to"} else t for t in rest[1:]]) if joins else rest


def _belonging(frame: frames.Frame, draft: Draft, later: Open) -> bool:
    """Read "a task belongs to a project", "a reservation is for one room and one guest, with …"."""
    rest = frame.rest
    if not frame.subject or not rest or frame.negated:
        return False
    comes = (
        frame.verb in {"come", "originate", "stem"}
        and rest[0].low == "from"
        and len(rest) > 1
        and rest[1].low in {"a", "an", "one", "exactly"}
    )
    belongs = comes or (
        frame.verb in _BELONGING
        and rest[0].low in {"to", "with", "for"}
        and frame.modal in {None, "must", "can", "may", "should"}
    )
    is_for = (
        frame.verb == "be"
        and frame.group.form == "be"
        and rest[0].low in _BELONGING_WORDS
        and len(rest) > 1
        and rest[1].low in _BELONGING_WORDS_2
        and frame.modal in {None, "must"}
    )
    made = (
        frame.group.passive
        and rest[0].low in _BELONGING_WORDS_3
        and len(rest) > 1
        and rest[1].low in {"a", "an", "one", "exactly", "many", "several", "multiple"}
        and frame.modal in {None, "must"}
        and frame.verb not in {"identify", "describe"}
    )
    joins = (
        frame.verb in _BELONGING_WORDS_4
        and not frame.group.passive
        and rest[0].low in {"a", "an", "one", "exactly"}
        and any(t.low in {"with", "to", "and"} for t in rest)
    )
    belongs = belongs or _references_one(frame)
    rest = _as_belonging(frame, rest, joins=joins)
    if not (belongs or is_for or made or joins) or (
        (frame.group.passive and quantities.phrase(rest, 1, "at most"))
        or quantities.phrase(rest, 1, "up to")
        or quantities.phrase(rest, 1, "no more than")
    ):
        return False
    told = belongs and (
        morphology.is_plural(frame.subject[-1].low) or frame.subject[0].low in {"a", "an", "each", "every"}
    )
    names = subject_names(frame.subject, draft)
    names = [
        name for name in names if not is_generic(name) or draft.entities.get(name) or (told and name not in ACTORS)
    ]
    if not names or quantities.duration(rest, 1) is not None:
        return False
    cut = next(
        (
            i
            for i, t in enumerate(rest)
            if (t.low in {"with", "has", "having"} or t.text == ":")
            and i > 0
            and not (i + 1 < len(rest) and rest[i + 1].low == "one")
        ),
        len(rest),
    )
    targets = rest[1:cut]
    entity = draft.entity(names[0], declared=True)
    draft.topic = entity.name
    found = False
    for item in fields.items(_without_prepositions(targets)):
        if not item.field.name or (not item.determined and not draft.known(item.field.name.split("_"))):
            continue
        if item.field.name.split("_")[-1] in {"time", "date", "day", "moment"}:
            added = entity.add(item.field)
            found = draft.mark(("field", entity.name, added.name))
            continue
        found = _refer(entity, item, draft, later, optional=frame.modal in {"can", "may"}) or found
    if cut < len(rest):
        holder = _person(rest, cut, entity, draft) or entity
        found = hold(holder, rest[cut + 1 :], draft, later) or found
        draft.topic = entity.name
    if joins and found:
        draft.settle()
    return found and draft.mark(("entity", entity.name))


_OF_PERSONS: Final = lexicon.words(
    "name first_name last_name full_name email email_address phone phone_number address age "
    "birth_date birthday date_of_birth"
)


def _person(rest: Sequence[Token], cut: int, entity: DraftEntity, draft: Draft) -> DraftEntity | None:
    """Give whom "by a customer with a name and an email" describes: the customer, who is new."""
    if rest[cut].low != "with" or rest[cut - 1].text == "," or cut < _EACH_WITH:
        return None
    reference = entity.fields.get(rest[cut - 1].low)
    owner = draft.entities.get(reference.target or "") if reference is not None else None
    held = {item.field.name for item in fields.items(rest[cut + 1 :])}
    new = owner is not None and not owner.fields and rest[cut - 2].low in {"a", "an"}
    return owner if new and held and held <= _OF_PERSONS else None


def replace_token(token: Token) -> Token:
    """Write a preposition between two things that are joined as "and"."""
    return Token(TokenKind.WORD, "and", token.start, token.end)


def _without_prepositions(tokens: Sequence[Token]) -> list[Token]:
    return [
        token
        for i, token in enumerate(tokens)
        if not (
            token.low in _ROLE_PREPOSITIONS - {"of", "in", "with"}
            and i + 1 < len(tokens)
            and (tokens[i + 1].low in lexicon.DETERMINERS or tokens[i + 1].low == "one")
            and (i == 0 or tokens[i - 1].low in {"and", ","})
        )
        and not (token.low in {"in", "with"} and i + 1 < len(tokens) and tokens[i + 1].low == "one")
    ]


def _refer(entity: DraftEntity, item: fields.Item, draft: Draft, later: Open, *, optional: bool) -> bool:
    singular = morphology.singular(item.field.name.split("_")[-1])
    if singular in _ATTRIBUTE_NOUNS and draft.known(item.field.name.split("_")) is None:
        added = entity.add(item.field)
        return draft.mark(("field", entity.name, added.name))
    name = morphology.name(*item.field.name.split("_")[:-1], singular)
    if item.many or (singular != item.field.name.split("_")[-1] and not (item.bound and item.bound.high == 1)):
        later.many.append((entity.name, item.field.name, draft.at, item.bound, True))
        return draft.mark(("many", entity.name, item.field.name))
    return refer(entity, name, draft, optional=optional or item.field.required is False)


def refer(entity: DraftEntity, name: str, draft: Draft, *, optional: bool) -> bool:
    """Let an entity refer to another one, which is made if it is new."""
    target = draft.known(name.split("_")) or _by_suffix(name, draft) or draft.entity(name)
    new = DraftField(
        name,
        FieldType.REFERENCE,
        target=target.name,
        required=False if optional else None,
    )
    added = entity.add(new)
    return draft.mark(("field", entity.name, added.name))


def _by_suffix(name: str, draft: Draft) -> DraftEntity | None:
    words = name.split("_")
    return next(
        (draft.entities["_".join(words[i:])] for i in range(1, len(words)) if "_".join(words[i:]) in draft.entities),
        None,
    )


_MANAGING_WORDS: Final = lexicon.words("manage track maintain keep administer handle organise organize")


def _managing(frame: frames.Frame, draft: Draft, later: Open) -> bool:
    """Read "the system keeps track of projects", "we manage recipes with a title"."""
    if frame.verb not in lexicon.MANAGING_VERBS and not (
        frame.verb == "be" and frame.subject and frame.subject[0].low == "there"
    ):
        return False
    subjects = subject_names(frame.subject, draft) if frame.subject else []
    if frame.group.passive and frame.rest and frame.rest[0].low in {"in", "on", "at", "by"}:
        return False
    if frame.group.passive:
        names = [name for name in subjects if not is_generic(name)]
        for name in names:
            draft.mark(("entity", draft.entity(name, declared=True).name))
        if names and frame.rest and frame.rest[0].low == "with":
            hold(draft.entities[names[-1]], frame.rest[1:], draft, later)
        return bool(names)
    looked_after = frame.verb in _MANAGING_WORDS
    if frame.verb != "be" and not all(
        is_generic(name) or name in _COLLECTIVE or (looked_after and name not in draft.entities) for name in subjects
    ):
        return False
    start = (
        quantities.phrase(frame.rest, 0, "track of")
        or quantities.phrase(frame.rest, 0, "a record of")
        or quantities.phrase(frame.rest, 0, "records of")
        or quantities.phrase(frame.rest, 0, "a list of")
        or quantities.phrase(frame.rest, 0, "a catalogue of")
        or quantities.phrase(frame.rest, 0, "a catalog of")
        or 0
    )
    return _declare_list(frame.rest[start:], draft, later)


_BEGINNING: Final = frozenset({"start", "open", "begin", "schedule", "plan"})
_HOLDING_WORDS_BEHIND: Final = lexicon.words("with having including consisting giving specifying containing")


def _ordering(frame: frames.Frame, draft: Draft, later: Open) -> bool:
    """Read orders and permissions on what is kept: "add a task with a title", "users can create notes"."""
    operations = _asked(frame, draft)
    if not operations:
        return False
    cut = next((i for i, t in enumerate(frame.rest) if _opens_fields(t, i)), len(frame.rest))
    head = frame.rest[:cut]
    stop = next((i for i, t in enumerate(head) if _ends_object(t)), len(head))
    named = subject_names(head[:stop], draft)
    name = named[0] if named else None
    listed = cut < len(frame.rest) and "create" in operations and name is not None and _may_hold(name)
    if (
        name is None
        or (not listed and (is_generic(name) or name in _NOT_ENTITIES))
        or any(t.low == "of" for t in head[:stop])
    ):
        return False
    if "create" not in operations and (draft.computations or not _may_act_on(name, operations, draft)):
        return False
    entity = draft.entity(name, declared="create" in operations)
    _operate(frame, entity, operations, draft)
    subjects = subject_names(frame.subject, draft) if frame.subject else []
    limited = {"once", "twice"} & {token.low for token in frame.rest}
    if "create" in operations and subjects and not is_generic(subjects[0]) and not limited:
        later.makers.append((subjects[0], entity.name, _prepositional(head[stop:], draft), draft.at))
    if cut < len(frame.rest) and operations & {"create", "update"}:
        end = frames.close_of(frame.rest, cut) if frame.rest[cut].text == "(" else len(frame.rest)
        for further in subject_names(head[:stop], draft)[1:]:
            if further not in _NOT_ENTITIES:
                _operate(frame, draft.entity(further, declared=True), operations, draft)
                hold(draft.entity(further), frame.rest[cut + 1 : end], draft, later)
        hold(entity, frame.rest[cut + 1 : end], draft, later)
        draft.settle()
    elif stop < len(head) and "create" in operations and head[stop].low in {"to", "for", "on", "in"}:
        later.makers += [(target, entity.name, (), draft.at) for target in _prepositional(head[stop:], draft)]
    return draft.mark(("entity", entity.name))


def _asked(frame: frames.Frame, draft: Draft) -> set[str]:
    """Give the operations that an order or a permission asks for; none when the clause is neither."""
    operations = {lexicon.OPERATION_VERBS[verb] for verb in frame.group.verbs if verb in lexicon.OPERATION_VERBS}
    begins = frame.verb in _BEGINNING and not frame.subject and "with" in [t.low for t in frame.rest]
    if not operations and begins and draft.kind is not SoftwareKind.API:
        operations = {"create"}
    subjects = subject_names(frame.subject, draft) if frame.subject else []
    permitted = not frame.subject or frame.modal in _PERMITTING or all(is_generic(name) for name in subjects)
    narrowing = frame.verb in {"search", "find", "filter", "sort", "order"}
    linking = frame.verb in lexicon.LINKING_VERBS and bool(frame.subject)
    if frame.negated or frame.only or frame.group.passive or not permitted or narrowing or linking:
        return set()
    return operations


_PERMITTING: Final = frozenset({"can", "may", "must", "should", "will"})


def _opens_fields(token: Token, at: int) -> bool:
    return token.low in _HOLDING_WORDS_BEHIND or (token.text == "(" and at > 0) or token.text == ":"


def _ends_object(token: Token) -> bool:
    prepositions = lexicon.PREPOSITIONS - {"of", "than"}
    return token.low in prepositions or token.text in {",", ":"} or token.kind is Kind.POSSESSIVE


def _may_act_on(name: str, operations: set[str], draft: Draft) -> bool:
    """Whether an operation other than creation tells that there is such a thing."""
    return name in draft.entities or (draft.kind is SoftwareKind.COMMAND_LINE and "delete" in operations)


def _operate(frame: frames.Frame, entity: DraftEntity, operations: set[str], draft: Draft) -> None:
    """Record the operations, and the words that the request has for them."""
    draft.topic = entity.name
    draft.operations[entity.name].update(operations)
    for verb in frame.group.verbs:
        if verb in lexicon.OPERATION_VERBS:
            draft.verbs.setdefault((entity.name, lexicon.OPERATION_VERBS[verb]), verb)
    for operation in sorted(operations):
        draft.mark(("operation", entity.name, operation))


def _prepositional(tokens: Sequence[Token], draft: Draft) -> tuple[str, ...]:
    """Give the names of what stands behind prepositions: "for events", "on an article"."""
    found: list[str] = []
    i = 0
    while i < len(tokens):
        if tokens[i].low in _ROLE_PREPOSITIONS:
            end = next(
                (
                    j
                    for j in range(i + 1, len(tokens))
                    if tokens[j].low in lexicon.PREPOSITIONS | {",", "(", "and", "that", "which", "who"}
                    or _comparative(tokens, j)
                ),
                len(tokens),
            )
            name = noun_name(tokens[i + 1 : end], draft)
            if (
                name
                and not is_generic(name)
                and name not in _NOT_ENTITIES
                and quantities.duration(tokens, i + 1) is None
                and quantities.period(tokens, i + 1) is None
            ):
                found.append(name)
            i = end
        else:
            i += 1
    return tuple(found)


def _consisting(frame: frames.Frame, draft: Draft, later: Open) -> bool:
    """Read "an order is made up of items", "a playlist is a list of songs", "a room is described by …"."""
    if not frame.subject or frame.negated:
        return False
    start = None
    if frame.group.passive and frame.verb in {"make", "compose", "build"}:
        start = next((i + 1 for i, t in enumerate(frame.rest[:3]) if t.low in {"of", "from"}), None)
    elif frame.verb == "be":
        start = next(
            (
                e
                for w in ("a list of", "a collection of", "a set of", "an ordered list of", "made up of")
                if (e := quantities.phrase(frame.rest, 0, w))
            ),
            None,
        )
    if start is None:
        return False
    names = [name for name in subject_names(frame.subject, draft) if not is_generic(name)]
    if not names:
        return False
    entity = draft.entity(names[0], declared=True)
    for item in fields.items(frame.rest[start:]):
        later.many.append((entity.name, item.field.name, draft.at, item.bound, False))
        draft.mark(("many", entity.name, item.field.name))
    return True


def _linking(frame: frames.Frame, draft: Draft, later: Open) -> bool:
    """Read who does what with what: "members borrow books", "a room can be booked by a guest"."""
    found = False
    for verb in frame.group.verbs:
        if verb in lexicon.LINKING_VERBS or verb in _MAKING_VERBS:
            found = _link(verb, frame, draft, later) or found
        elif verb not in _NO_DEEDS and verb not in lexicon.OPERATION_VERBS and _limited(frame):
            _deed(verb, frame, draft, later)
    return found


_NO_DEEDS: Final = lexicon.words("be have do go contain hold need include exceed belong mark use allow let share")


def _limited(frame: frames.Frame) -> bool:
    """Whether a clause says how often something may be done: "only once", "at most 3 a day"."""
    if frame.modal not in {"can", "may"} or frame.negated:
        return False
    lows = {t.low for t in frame.rest}
    counted = [b for i in range(len(frame.rest)) if (b := quantities.bound(frame.rest, i)) is not None]
    return "once" in lows or any(bound.high is not None and not bound.exact for bound, _ in counted)


def _deed(verb: str, frame: frames.Frame, draft: Draft, later: Open) -> None:
    """Note "a citizen can sign a petition only once": each signature is to be kept, or nothing could count them."""
    if frame.group.passive:
        names, others = _agents(frame.rest, draft), subject_names(frame.subject, draft)
    else:
        names, found = subject_names(frame.subject, draft), noun_name(_object(frame.rest)[0], draft)
        others = [found] if found else []
    if names and others and names[0] != others[0] and not is_generic(others[0]):
        later.deeds.append((verb, names[0], others[0], draft.at))


def _transitive(frame: frames.Frame, draft: Draft, later: Open) -> bool:
    """Read "each meeting discusses one book": a reference when both turn out to be kept."""
    if frame.negated or frame.modal not in {None, "must"} or frame.verb in {"be", "have", "go"} or not frame.rest:
        return False
    if frame.group.passive and frame.rest[0].low in {"in", "on", "at", "by", "to"}:
        target, found = noun_name(_object(frame.rest[1:])[0], draft), subject_names(frame.subject, draft)
        if target and len(found) == 1:
            later.transitives.append((found[0], target, draft.at))
        return False
    start = quantities.phrase(frame.rest, 0, "exactly one") or (1 if frame.rest[0].low in {"a", "an", "one"} else None)
    head, _ = _object(frame.rest[start:]) if start else ([], [])
    name = noun_name(head, draft)
    names = subject_names(frame.subject, draft)
    if name is None or len(names) != 1:
        return False
    later.transitives.append((names[0], name, draft.at))
    return False


def _by_doing(rest: Sequence[Token]) -> str | None:
    """Give the deed in "passengers join rides by booking a seat": what is made is a booking."""
    at = next((i for i, t in enumerate(rest[:-1]) if t.low == "by" and rest[i + 1].low.endswith("ing")), None)
    verb = rest[at + 1].verb if at is not None else None
    return verb if verb in lexicon.LINKING_VERBS else None


_GIVING_WORDS: Final = lexicon.words("giving with providing leaving stating naming entering including")


def _by_anyone(verb: str, frame: frames.Frame, draft: Draft, later: Open) -> bool:
    """Read "visitors reserve seats for a screening, giving their name and email": who does it is not kept."""
    cut = next((i for i, t in enumerate(frame.rest) if t.low in _GIVING_WORDS), None)
    if cut is None or frame.group.passive or frame.negated or verb not in lexicon.LINKING_VERBS or not frame.subject:
        return False
    if not all(is_generic(name) and not _declared(name, draft) for name in subject_names(frame.subject, draft)):
        return False
    aims = [m.entity.name for m in draft.mentions(frame.rest[:cut])]
    if not aims:
        return False
    entity = draft.entity(lexicon.LINKING_VERBS[verb][0], declared=True)
    entity.link_verb = entity.link_verb or verb
    for aim in aims:
        refer(entity, aim, draft, optional=False)
    start = (
        cut + 1 + (cut + 1 < len(frame.rest) and frame.rest[cut + 1].low in {"their", "his", "her", "your", "a", "the"})
    )
    return hold(entity, frame.rest[start:], draft, later) and draft.settle()


def _link(verb: str, frame: frames.Frame, draft: Draft, later: Open) -> bool:
    if _by_anyone(verb, frame, draft, later):
        return True
    verb = _by_doing(frame.rest) or verb
    subjects = [
        name
        for name in subject_names(_plain(frame.subject), draft)
        if name == "user" or not is_generic(name) or (draft.entities.get(name) and draft.entities[name].declared)
    ]
    head, behind = _object(frame.rest)
    if frame.group.passive:
        agents = tuple(name for name in _agents(frame.rest, draft))
        if not subjects or not agents or verb not in lexicon.LINKING_VERBS:
            return False
        later.links.append((verb, agents[0], (subjects[0],), draft.at, []))
        return draft.mark(("link", verb))
    name = noun_name(head, draft)
    if (
        verb in lexicon.LINKING_VERBS
        and name in _NOT_ENTITIES - GENERIC
        and name not in draft.entities
        and (targets := _prepositional(behind, draft))
    ):
        name, behind = targets[0], [*head_with(head), *behind]
    if name is None and behind and verb in lexicon.LINKING_VERBS:
        targets = _prepositional(behind, draft)
        name = targets[0] if targets else None
    if (
        not subjects
        or name is None
        or name in subjects
        or ((is_generic(name) or name in _NOT_ENTITIES) and not _declared(name, draft))
    ):
        return False
    others = _prepositional(behind, draft)
    given = verb in {"submit", "file", "request"} and "with" in [t.low for t in behind]
    if verb in lexicon.LINKING_VERBS and not _is_link_noun(verb, name) and not given:
        later.links.append((verb, subjects[0], (name, *others), draft.at, list(behind)))
        if verb in _ASKING and frame.rest[0].low in {"a", "an"}:
            draft.topic = name
        return draft.mark(("link", verb))
    return _make(frame, subjects[0], name, (head, others, behind), draft, later)


_ASKING: Final = frozenset({"request", "submit", "order", "claim"})  # their object is what is made


def _make(
    frame: frames.Frame,
    maker: str,
    name: str,
    parts: tuple[Sequence[Token], tuple[str, ...], Sequence[Token]],
    draft: Draft,
    later: Open,
) -> bool:
    """Read who makes what: "a customer places an order for a cake, with a quantity"."""
    head, others, behind = parts
    bare = bool(head) and not morphology.is_plural(head[-1].low) and frame.rest[0].low not in lexicon.DETERMINERS
    if frame.negated or (bare and frame.verb == "start" and name not in draft.entities):
        return False  # "it starts open" makes nothing
    if {"once", "twice"} & {token.low for token in frame.rest}:
        return False  # "log a cache only once": a limit, which makes no cache
    later.makers.append((maker, name, others, draft.at))
    if frame.rest[0].low in {"a", "an"} and not is_generic(name):
        draft.topic = name
    lows = [token.low for token in behind]
    if "with" in lows and not is_generic(name):
        hold(draft.entity(name, declared=True), behind[lows.index("with") + 1 :], draft, later)
    return draft.mark(("made", maker, name))


def head_with(head: Sequence[Token]) -> list[Token]:
    """Write an object that is a mere attribute ("an amount") as what the link has: "with an amount"."""
    return [Token(TokenKind.WORD, "with", head[0].start, head[0].start), *head] if head else []


def _declared(name: str, draft: Draft) -> bool:
    return name in draft.entities and draft.entities[name].declared


def _is_link_noun(verb: str, name: str) -> bool:
    return name.split("_")[-1] in {
        lexicon.LINKING_VERBS[verb][0],
        "ticket",
        "appointment",
        "session-booking",
    } and verb in {"buy", "book", "order", "purchase", "reserve", "submit"}


def _plain(subject: Sequence[Token]) -> list[Token]:
    """The subject without a bound in front of it ("at most 3 members", "no more than two guests")."""
    bound = quantities.bound(subject, 0)
    return list(subject[bound[1] :] if bound else subject)


def _object(rest: Sequence[Token]) -> tuple[list[Token], list[Token]]:
    """Cut a complement into its direct object, without its bound, and what stands behind."""
    start = 0
    while start < len(rest):
        if (bound := quantities.bound(rest, start)) is not None:
            start = bound[1]
        elif rest[start].low in {"only", "at", "more", "than", "the", "same"}:
            start += 1
        else:
            break
    end = next(
        (
            i
            for i in range(start, len(rest))
            if rest[i].low in lexicon.PREPOSITIONS | {"twice", "once", "again", "more", "which", "that", "each"}
            or rest[i].text in {",", "("}
            or quantities.period(rest, i) is not None
            or _comparative(rest, i)
        ),
        len(rest),
    )
    return list(rest[start:end]), list(rest[end:])


def _comparative(tokens: Sequence[Token], at: int) -> bool:
    """Whether a comparison stands at a position: "deeper than"."""
    return tokens[at].low.endswith("er") and at + 1 < len(tokens) and tokens[at + 1].low == "than"


def _agents(rest: Sequence[Token], draft: Draft) -> list[str]:
    for i, token in enumerate(rest):
        if token.low in {"by", "to"}:
            bound = quantities.bound(rest, i + 1)
            start = bound[1] if bound else i + 1
            if rest[start : start + 1] and rest[start].low in {"other", "others"}:
                return []  # other museums are none of those that are kept
            end = next(
                (j for j in range(start, len(rest)) if rest[j].low in lexicon.PREPOSITIONS | {",", "and"}),
                len(rest),
            )
            name = noun_name(rest[start:end], draft)
            return [name] if name and not (is_generic(name) and name != "user") and name not in _NOT_ENTITIES else []
    return []


_EACH_WITH: Final = 2


def _verbless(words: Sequence[Token], draft: Draft, later: Open) -> bool:
    """Read "A product with a name and a price" and "Full CRUD for notes"."""
    cut = next((i for i, t in enumerate(words) if t.low in {"with", "having"}), None)
    if cut is not None and cut > _EACH_WITH and words[cut - 1].low == "each" and words[cut - 2].text == ",":
        words, cut = [*words[: cut - 2], *words[cut:]], cut - 2  # "households, each with an address"
    if cut is None or cut == 0 or any(t.kind is Kind.PUNCTUATION for t in words[:cut]):
        return False
    of = next((i for i, t in enumerate(words[:cut]) if i and t.low in {"for", "of", "per", "by"}), cut)
    names = subject_names(words[:of], draft)
    if not names or is_generic(names[-1]) or names[-1] in _NOT_ENTITIES:
        return False
    entity = draft.entity(names[-1], declared=True)
    if of < cut and draft.mentions(words[of + 1 : cut]):
        hold(entity, words[of + 1 : cut], draft, later)
    return hold(entity, words[cut + 1 :], draft, later) and draft.settle()


def relation(draft: Draft, left: str, right: str) -> Relation:
    """Add a many-to-many relation between two entities."""
    name = morphology.name(left, right)
    made = draft.relations.get(name) or Relation(
        name=name,
        left=left,
        right=right,
        description=f"{draft.entities[left].plural} and {draft.entities[right].plural}".replace("_", " "),
    )
    draft.relations[name] = made
    return made
