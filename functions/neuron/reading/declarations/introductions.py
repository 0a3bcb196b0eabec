"""Reads what the software is about: "an API to manage books and members", "keep track of expenses"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology, openings, quantities
from functions.neuron.reading.declarations import listings, naming, references
from functions.neuron.reading.draft import Draft
from functions.neuron.reading.tokens import Token
from shared.software.specification import Kind as SoftwareKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.clauses import Clause

_INTRODUCTION_WORDS: Final = lexicon.words("manage track store organise organize catalogue administer maintain")


def introduction(clause: Clause, draft: Draft, later: references.Open) -> bool:
    """Read "An API for managing projects and tasks": what is kept, as far as it is said."""
    words = clause.tokens
    draft.mark(("kind",))
    if commanded(words, draft, later):
        return True
    if (aim := openings.wished(words)) is not None:
        listings.declare_list(words[slice(*aim)], draft, later, weak=True)
        return True
    for i, token in enumerate(words):
        if token.low in {"for", "with"} and i + 1 < len(words) and not words[i + 1].low.endswith("ing"):
            if listings.listed_entities(words[i + 1 :], draft, later):
                return True
            held = next((j for j in range(i + 1, len(words)) if words[j].low in {"with", "having"}), None)
            if (
                held is not None
                and held > i + 1
                and morphology.is_plural(words[held - 1].low)
                and listings.declare_list(words[i + 1 :], draft, later)
            ):
                return True
            if (
                token.low == "with"
                and not (draft.kind is SoftwareKind.LIBRARY and lexicon.CODE & {t.singular for t in words[i + 1 :]})
                and i + 2 <= len(words)
                and morphology.is_plural(words[-1].low)
                and words[i + 1].low not in lexicon.ARTICLES
            ):
                return listings.declare_list(words[i + 1 :], draft, later, weak=True)
    for i, token in enumerate(words):
        following = _kept_from(words, i, token)
        if following is not None:
            listings.declare_list(words[following:], draft, later, weak=True)
            break
    return True


def _kept_from(words: Sequence[Token], i: int, token: Token) -> int | None:
    """Give where what is kept begins, behind "manages", "keeps track of", "handling", "keeps a list of"."""
    if token.verb in _INTRODUCTION_WORDS and token.low != "management" and i > 0:
        return i + 1
    if token.verb == "keep" and quantities.phrase(words, i + 1, "track of"):
        return i + 3
    if token.verb in {"keep", "hold"} and i:
        return listings.behind_collection(words, i + 1)
    return i + 1 if token.verb == "handle" and token.low.endswith("ing") else None


_ENTERING: Final = lexicon.words("collect note catch capture enter keep track")


def commanded(words: Sequence[Token], draft: Draft, later: references.Open) -> bool:
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
    if stop <= i or not morphology.is_plural(words[stop - 1].low) or not listings.declare_list(words[i:], draft, later):
        return False
    for name in naming.subject_names(words[i:stop], draft):
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
