"""Reads which data structures a library is to offer, and holds what is said of them against what they offer.

Promises: a part of a clause counts as done only when its words are in the structure's vocabulary; a structure that is
not in the catalogue, another kind of error, or a fixed size is told to the customer as not done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import computing, fields, frames, honesty, lexicon
from functions.neuron.reading.tokens import Kind as TokenKind
from shared.software.specification import Kind, Structure
from shared.software.structures import STRUCTURES, UNAVAILABLE, offered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.clauses import Clause
    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.tokens import Token

_SOFTWARE: Final = lexicon.words(
    "support supports supporting implement implements implementing implementation offer offers "
    "offering provide provides providing class classes data structure structures generic typed tests "
    "documented collection small tiny pure clean reusable behaviour operation operations method "
    "methods usual basic standard common together ask asks i'd we'd use uses given gives my handle "
    "handles efficient efficiently fast correct well useful helper helpers work works working write"
)
_LARGEST_WORD: Final = 2
_GIVEN: Final = "The number is not built in; it is given when the structure is made."


def named(words: Sequence[Token]) -> list[str]:
    """Name the structures that words speak of, in order of the catalogue; the more exact name wins."""
    bag = honesty.lemmas(words)
    found = {name: wanted for name, known in STRUCTURES.items() for wanted in known.words if wanted <= bag}
    if "trie" in found and "autocomplete" not in bag and not {"trie", "tree"} & bag and len(found) > 1:
        del found["trie"]
    if "priority_queue" in found and not {"fifo", "enqueue", "dequeue", "simple"} & bag:
        found.pop("fifo_queue", None)
    return list(found)


def unavailable(words: Sequence[Token]) -> str | None:
    """Give the structure that words name and that nobody writes."""
    text = f" {' '.join(token.low if token.low.endswith('s') is False else token.singular for token in words)} "
    spaced = text.replace("-", " ")
    return next((name for name in UNAVAILABLE if f" {name.replace('-', ' ')} " in spaced), None)


def read(clause: Clause, draft: Draft) -> bool:
    """Read a clause of a library's request for data structures; True when it is about them."""
    if draft.kind is not Kind.LIBRARY or (
        draft.describes and (_described(clause.words) or not _offered(clause.tokens))
    ):
        return False
    segments = _segments(clause.tokens)
    missing = unavailable(clause.words)
    fresh = named([token for segment in segments if unavailable(segment) is None for token in segment])
    if missing is not None and not fresh:
        draft.reasons[draft.at] = _not_built(missing)
        return True
    for name in fresh:
        draft.structures[name] = Structure(name=name, description=STRUCTURES[name].summary)
    about = fresh or list(draft.structures) or _named_later(draft)
    if not about or (not fresh and draft.entities):
        return False
    doubts = [(segment, why) for segment in segments if (why := _doubt(segment, about)) is not None]
    left = [(segment, why) for segment, why in doubts if not computing.read_part(segment, draft)]
    for segment in segments:
        computing.read_exact([segments[0][0], *segment], draft)
    if not fresh and (len(left) == len(segments) or (left and not draft.structures)):
        return False
    for segment, why in left:
        draft.leave(_narrowed(segment, about), why)
    return draft.mark(*[("structure", name) for name in about])


def describes(clauses: Sequence[Clause]) -> bool:
    """Whether a request says what things hold, so that records of them are kept: "jobs have a name, a priority"."""
    return any(_described(clause.words) for clause in clauses)


def _described(words: Sequence[Token]) -> bool:
    """Whether a clause lists what a thing has that is no data structure itself."""
    frame = frames.parse(words)
    if frame is None or frame.negated or not frame.subject or frame.verb not in {"have", "consist"}:
        return False
    of_structure = named(frame.subject) or unavailable(frame.subject) or frame.subject[-1].low in lexicon.PRONOUNS
    parts = [t for t in frame.subject if _forms(t) & _OF_STRUCTURES]
    return not of_structure and not parts and len(fields.items(frame.rest)) >= _LEAST_FIELDS


_LEAST_FIELDS: Final = 2
_OF_STRUCTURES: Final = lexicon.words(
    "cache queue stack graph node vertex edge trie matrix bucket limiter interval structure library class package "
    "module heap entry amount it they"
)


def _offered(tokens: Sequence[Token]) -> bool:
    """Whether a structure is asked for beside records: "with a priority queue", not "a priority queue of jobs"."""
    names = {name: {word for words in STRUCTURES[name].words for word in words} for name in named(tokens)}
    for i, token in enumerate(tokens):
        words = next((words for words in names.values() if token.low in words), None)
        start = i - 1 if i and tokens[i - 1].low not in lexicon.ARTICLES else i
        if words is None or not start or tokens[start - 1].low not in {"a", "an"}:
            continue
        behind = next((j for j in range(i, len(tokens)) if not tokens[j].is_word or tokens[j].low not in words), None)
        of = behind is not None and tokens[behind].low in {"of", "for"}
        if tokens[max(0, start - 2)].low not in {"for", "manage", "manages", "of", "managing"} and not of:
            return True
    return False


def _named_later(draft: Draft) -> list[str]:
    """Give the structures that only later clauses name: "a bounded cache: get and put, least recently used …"."""
    return list(dict.fromkeys(name for clause in draft.clauses[draft.at + 1 :] for name in named(clause.tokens)))


def _not_built(missing: str) -> str:
    return f"No {missing} is built. Of data structures HAL9 offers these: {offered()}."


def _narrowed(segment: Sequence[Token], about: Sequence[str]) -> Sequence[Token]:
    """Give the words that are not offered alone where a part names a structure and says little else of it."""
    unfound = _unfound(segment, _vocabulary(about))
    return unfound if len(unfound) == 1 and named(segment) else segment


def beyond(draft: Draft) -> bool:
    """Say of a clause of a library of data structures alone, which no reader has read, what is offered instead."""
    if not draft.structures or draft.entities or draft.describes:
        return False
    offers = "; ".join(f"{STRUCTURES[n].title}: {', '.join(STRUCTURES[n].operations)}" for n in draft.structures)
    draft.reasons[draft.at] = f"This is not offered. What is: {offers}."
    return True


def title(draft: Draft) -> tuple[str, str]:
    """Name a library after the structures that it offers."""
    words = " and ".join(STRUCTURES[name].title for name in list(draft.structures)[:2])
    return "_".join(list(draft.structures)[:2])[:40].strip("_"), words[:1].upper() + words[1:]


def _segments(tokens: Sequence[Token]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.text in {",", ";", ":", "(", ")"} or token.low in {"and", "or", "plus", "while"}:
            parts.append([])
        elif token.kind is not TokenKind.PUNCTUATION:
            parts[-1].append(token)
    return [part for part in parts if part]


def _doubt(segment: Sequence[Token], about: Sequence[str]) -> str | None:
    """Give why a part of a clause is not done; None when all of it is offered."""
    known = _vocabulary(about)
    missing = unavailable(segment)
    if missing is not None:
        return _not_built(missing)
    lows = {token.low for token in segment}
    raised = [error for name in about for error in _raised(segment, name)]
    if raised:
        known |= _REFUSING | set(raised)
    takes = any({"pop", "dequeue"} & set(STRUCTURES[name].operations) for name in about)
    if takes and lows & {"empty"} and lows & {"none", "null", "valueerror", "false"}:
        return "Taking from an empty one raises IndexError."
    other = [t.text for t in segment if t.low.endswith(("error", "exception")) and t.low not in known | {"error"}]
    if other:
        return f"Another error is raised than {other[0]}; the documentation of each operation names it."
    if any(t.value is not None and t.value > _LARGEST_WORD and t.kind is TokenKind.NUMBER for t in segment):
        return _GIVEN
    unfound = _unfound(segment, known)
    if unfound:
        return f"This is not offered: nothing stands for {', '.join(f'“{token.text}”' for token in unfound)}."
    return None


_REFUSING: Final = frozenset({"raise", "error", "below", "invalid", "negative"})


def _raised(segment: Sequence[Token], name: str) -> list[str]:
    """Give the errors that a part of a clause names and that the structure raises for what is said there."""
    lows = {token.low for token in segment}
    return [
        error
        for error, words in STRUCTURES[name].raised.items()
        if {error, "error"} & lows and any(_forms(token) & words for token in segment)
    ]


def _vocabulary(about: Sequence[str]) -> frozenset[str]:
    """Give all words that may be said of structures truthfully."""
    known = {
        word
        for name in about
        for words in (STRUCTURES[name].vocabulary, *STRUCTURES[name].words, STRUCTURES[name].name.split("_"))
        for word in words
    }
    operations = [operation for name in about for operation in STRUCTURES[name].operations]
    return frozenset(known | {part for operation in operations for part in (operation, *operation.split("_"))})


def _unfound(segment: Sequence[Token], known: frozenset[str]) -> list[Token]:
    """Give the words of a part that speak of nothing which is offered."""
    told = [t for t in segment if t.is_word and t.value is None and not honesty.hollow(t)]
    told = [t for t in told if t.low not in _SOFTWARE | lexicon.PRONOUNS]
    return [t for t in told if not _forms(t) & known and not _parts(t) <= known | _SOFTWARE]


def _forms(token: Token) -> set[str]:
    """Give a word's forms, those of derived words as well: mixing, rounded, alphabetically."""
    forms = honesty.lemmas([token])
    for end in ("ing", "ed", "ly", "er", "ers", "s"):
        stem = token.low.removesuffix(end)
        if stem != token.low and len(stem) > 2:
            forms |= {stem, f"{stem}e"} | ({stem[:-1]} if stem[-1] == stem[-2] else set())
    return forms


def _parts(token: Token) -> set[str]:
    return {part for part in token.low.replace("-", "_").split("_") if part}
