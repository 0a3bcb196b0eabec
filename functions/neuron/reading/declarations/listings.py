"""Reads lists of things: "books (title, author) and members (name)", "customers, orders and invoices"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import frames, lexicon, morphology
from functions.neuron.reading.declarations import contents, naming, references
from functions.neuron.reading.draft import Draft
from functions.neuron.reading.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Sequence


def declare_list(tokens: Sequence[Token], draft: Draft, later: references.Open, *, weak: bool = False) -> bool:
    """Declare the entities of "projects and tasks", or the one of "books with a title and an author"."""
    cut = next(
        (i for i, t in enumerate(tokens) if t.low in {"with", "having", "including"} or t.text == "("), len(tokens)
    )
    found = False
    head = tokens[:cut]
    stop = next((i for i, t in enumerate(head) if t.low in lexicon.PREPOSITIONS - {"of"}), len(head))
    names = naming.subject_names(head[:stop], draft)
    fresh = {name for name in names if name not in draft.entities}
    entities = [
        draft.entity(name, declared=True)
        for name in names
        if draft.entities.get(name)
        or not (name in naming.NOT_ENTITIES or _is_figure(name))
        or (name in naming.ACTORS and cut < len(tokens) and not weak)  # "there are users with a name and an email"
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
        contents.hold(entities[-1], held, draft, later)
    return found


def _is_figure(name: str) -> bool:
    """Whether a name is that of a figure about things: a total amount, an average rating."""
    return name.partition("_")[0] in {"total", "sum", "average"} and "_" in name


_COLLECTIONS: Final = lexicon.words(
    "collection list log catalogue catalog record register inventory set number fleet pool portfolio directory"
)


def behind_collection(words: Sequence[Token], at: int) -> int | None:
    """Give the position behind "a collection of", "records of"; None when nothing of the kind stands there."""
    at += at < len(words) and words[at].low in lexicon.ARTICLES
    named = at + 1 < len(words) and words[at].singular in _COLLECTIONS and words[at + 1].low == "of"
    return at + 2 if named else None


def _is_plural_noun(tokens: Sequence[Token], name: str) -> bool:
    last = name.split("_")[-1]
    return any(morphology.is_plural(t.low) and t.singular == last for t in tokens)


def listed_entities(words: Sequence[Token], draft: Draft, later: references.Open) -> bool:
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
        contents.hold(entity, body, draft, later)
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
    name = (
        naming.noun_name(words[start:head], draft) if start < head <= start + 4 and i <= start + _LONGEST_HEAD else None
    )
    if name is None:
        return None
    plural = morphology.is_plural(words[head - 1].low)
    if i >= len(words) or words[i].text == "," or words[i].low == "and":
        return (name, (), i) if plural else None
    if words[i].text != "(" or not (plural or naming.may_hold(name)):
        return None
    end = frames.close_of(words, i)
    return name, words[i + 1 : end], end + 1


_LONGEST_HEAD: Final = 7


def bracketed_subject(words: Sequence[Token], draft: Draft, later: references.Open) -> Sequence[Token]:
    """Read "gardeners (name, email) can request packets (kind, price)": what the brackets list belongs to the name."""
    bare = _bracketed(words, draft, later)
    return _bracketed_object(bare, draft, later) if bare is not words else words


def _bracketed_object(words: Sequence[Token], draft: Draft, later: references.Open) -> Sequence[Token]:
    at = next((i for i, t in enumerate(words) if t.text == "(" and i), None)
    if at is None or not morphology.is_plural(words[at - 1].low):
        return words
    end = frames.close_of(words, at)
    if not any(t.text in {",", ";"} for t in words[at:end]):
        return words
    name = morphology.name(words[at - 1].singular)
    if naming.is_generic(name):
        return words
    contents.hold(draft.entity(name, declared=True), words[at + 1 : end], draft, later)
    return [*words[:at], *words[end + 1 :]]


def _bracketed(words: Sequence[Token], draft: Draft, later: references.Open) -> Sequence[Token]:
    at = next((i for i, t in enumerate(words[:6]) if t.text == "("), None)
    if at is None or at == 0 or not all(t.is_word for t in words[:at]) or frames.finite_verb(words[:at], 0) is not None:
        return words
    end = frames.close_of(words, at)
    bare = [*words[:at], *words[end + 1 :]]
    verb = frames.finite_verb(bare, 0)
    name = naming.noun_name(words[:at], draft)
    if verb != at or name is None or not any(t.text in {",", ";"} for t in words[at:end]):
        return words
    contents.hold(draft.entity(name, declared=True), words[at + 1 : end], draft, later)
    return bare
