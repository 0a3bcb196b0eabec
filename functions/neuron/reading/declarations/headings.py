"""Reads what stands under a heading or behind a colon: "Books: title, author and a unique ISBN"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import fields, frames, lexicon, morphology
from functions.neuron.reading.declarations import contents, listings, naming, phrases, references
from functions.neuron.reading.draft import Draft, DraftField
from functions.neuron.reading.tokens import Kind, Token
from shared.software.specification import FieldType
from shared.software.specification import Kind as SoftwareKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.clauses import Clause


def under_header(clause: Clause, draft: Draft, later: references.Open) -> bool | None:
    """Read a line of a list under "A book has:", "Books:" or "Book fields:"."""
    frame = frames.parse(clause.words)
    colon = next((i for i, t in enumerate(clause.tokens[:6]) if t.text in {":", "—", "\u2013"}), None)
    header = frames.parse(clause.header[:-1] if clause.header[-1].text == ":" else clause.header)
    if header is not None and header.verb in lexicon.HOLDING_VERBS and header.subject:
        subjects = [name for name in naming.subject_names(header.subject, draft) if not naming.is_generic(name)]
        if subjects and frame is None:
            contents.hold(draft.entity(subjects[0], declared=True), clause.tokens, draft, later)
            return draft.settle()
        return None
    if frame is not None or (
        colon is not None and header is None and len(clause.tokens) > 3 and any(t.text == "," for t in clause.tokens)
    ):
        return None
    names = naming.subject_names(
        [t for t in clause.header if t.low not in {"fields", "attributes", "properties", "field"}], draft
    )
    if (
        header is None
        and len(names) == 1
        and not naming.is_generic(names[0])
        and names[0] not in naming.NOT_ENTITIES
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
        contents.hold(draft.entity(names[0], declared=True), clause.tokens, draft, later)
        headed = next((i for i, c in enumerate(draft.clauses) if c.tokens == clause.header), None)
        if headed is not None:
            draft.marks[headed].append(("entity", names[0]))
        return draft.settle()
    return None


def labelled(words: Sequence[Token], colon: int, draft: Draft, later: references.Open) -> bool:
    """Read "Books: ISBN (unique), title, copies" and "Book (title, author)"."""
    head = words[:colon]
    if head[0].low in {"for", "about"}:
        return False  # "for our beekeeping association: an API"
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
    named = bool(body) and draft.known([body[0].low]) is not None  # "comments: post, text" orders nobody to post
    if frames.finite_verb(body, 0, conjoined=False) is not None or (frames.imperative_at(body, 0) and not named):
        return False
    if not bracket and _names_states(head, body, draft):
        return True
    name = naming.noun_name(head, draft)
    if (
        name is None
        or not (naming.may_hold(name) or _plural_record(head, body))
        or (draft.kind is SoftwareKind.LIBRARY and name.split("_")[-1] in {"library", "package", "module"})
        or (name in {"note", "example", "constraint", "validation", "feature", "requirement"} and len(body) > 12)
    ):
        return False
    if not bracket and _lists_things(body):
        return listings.listed_entities(body, draft, later)
    kept = len(body) > 1 and morphology.is_plural(body[0].low) and body[1].low in {"with", "having"}
    if not bracket and (
        (head[-1].low in _THINGS and len(head) > 1) or (kept and not morphology.is_plural(head[-1].low))
    ):
        return listings.declare_list(body, draft, later)
    entity = draft.entity(name, declared=True)
    draft.mark(("entity", entity.name))
    draft.topic = entity.name
    return contents.hold(entity, body, draft, later) and draft.settle()


def _names_states(head: Sequence[Token], body: Sequence[Token], draft: Draft) -> bool:
    """Read "states: new, confirmed, closed" as the states of what was spoken of last."""
    entity = draft.entities.get(draft.topic or "")
    if entity is None or [t.singular for t in head] not in (["state"], ["status"], ["stage"], ["phase"]):
        return False
    values = [" ".join(t.low for t in part) for part in _listed(body)]
    if len(values) < _SEVERAL or any(len(value.split()) > _SEVERAL for value in values):
        return False
    added = entity.add(DraftField(head[0].singular if head[0].singular != "state" else "status", FieldType.ENUM))
    added.values = tuple(dict.fromkeys(values))
    return draft.mark(("field", entity.name, added.name)) and draft.settle()


def _listed(tokens: Sequence[Token]) -> list[list[Token]]:
    """Cut at commas and conjunctions; nothing where something else than words stands there."""
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.text in {",", "/", "|"} or token.low in {"and", "or"}:
            parts.append([])
        elif token.is_word:
            parts[-1].append(token)
        else:
            return []
    return [part for part in parts if part]


_SEVERAL: Final = 2


def _plural_record(head: Sequence[Token], body: Sequence[Token]) -> bool:
    """Whether "tools: name, serial number (unique)" lists what each tool holds, and not parts of the software."""
    kept = morphology.is_plural(head[-1].low) and head[-1].singular in naming.AMBIGUOUS
    return kept and len(fields.items(body)) > 1


_THINGS: Final = frozenset({"things", "entities", "resources", "objects"})  # "three kinds of things: songs, artists"


def _lists_things(tokens: Sequence[Token]) -> bool:
    """Whether a list is one of things that hold something: "companies (name, website), contacts (name, email)"."""
    opened = next((i for i, t in enumerate(tokens) if t.text == "(" and i), None)
    if opened is None or not morphology.is_plural(tokens[opened - 1].low) or opened > 3:
        return False
    return any(t.text == "," for t in tokens[opened : frames.close_of(tokens, opened)])


def verbless(words: Sequence[Token], draft: Draft, later: references.Open) -> bool:
    """Read "A product with a name and a price" and "Full CRUD for notes"."""
    cut = next((i for i, t in enumerate(words) if t.low in {"with", "having"}), None)
    if cut is not None and cut > phrases.EACH_WITH and words[cut - 1].low == "each" and words[cut - 2].text == ",":
        words, cut = [*words[: cut - 2], *words[cut:]], cut - 2  # "households, each with an address"
    if cut is None or cut == 0 or any(t.kind is Kind.PUNCTUATION for t in words[:cut]):
        return False
    if words[0].low in {"i", "we", "i'd", "we'd", "i'm", "we're"}:
        return False
    of = next((i for i, t in enumerate(words[:cut]) if i and t.low in {"for", "of", "per", "by"}), cut)
    names = naming.subject_names(words[:of], draft)
    persons = bool(names) and names[-1] in naming.ACTORS and morphology.is_plural(words[of - 1].low)
    if persons and len(fields.items(words[cut + 1 :])) >= _SEVERAL:
        return contents.hold(draft.entity(names[-1], declared=True), words[cut + 1 :], draft, later) and draft.settle()
    if not names or naming.is_generic(names[-1]) or names[-1] in naming.NOT_ENTITIES:
        return False
    entity = draft.entity(names[-1], declared=True)
    if of < cut and draft.mentions(words[of + 1 : cut]):
        contents.hold(entity, words[of + 1 : cut], draft, later)
    return contents.hold(entity, words[cut + 1 :], draft, later) and draft.settle()
