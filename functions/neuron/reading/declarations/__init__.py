"""Reads what there is: the things that the software keeps, what they hold, and how they belong together.

First of the two readings of a request. Each reader takes a clause and says whether it found something in it; each
module reads one way to say what there is. Names that only later clauses explain are kept open ("a book has an author"
is a reference when authors turn out to be entities), and closed by `closing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import frames, lexicon, morphology
from functions.neuron.reading.declarations import (
    acting,
    belonging,
    headings,
    holding,
    introductions,
    listings,
    managing,
    measures,
    naming,
    references,
)
from functions.neuron.reading.declarations.contents import AT_LEAST, hold
from functions.neuron.reading.declarations.naming import GENERIC, SHARED_NOUNS, UNITS, is_generic, noun_name
from functions.neuron.reading.declarations.references import Open, refer, relation
from functions.neuron.reading.draft import Draft
from functions.neuron.reading.tokens import Token
from shared.software.specification import Kind as SoftwareKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.clauses import Clause


def read(clause: Clause, draft: Draft, later: references.Open, words: Sequence[Token]) -> bool:
    """Read a clause for what it declares; True when it declares something. `words`: its words, or what is left."""
    if clause.intro:
        return introductions.introduction(clause, draft, later)
    if draft.at == 0 and draft.kind is SoftwareKind.COMMAND_LINE and introductions.commanded(words, draft, later):
        return draft.mark(("kind",))
    if clause.header and (found := headings.under_header(clause, draft, later)) is not None:
        return found
    if (
        colon := next((i for i, t in enumerate(words[:8]) if t.text in {":", "—", "\u2013", "-", "("} and i > 0), None)
    ) is not None and headings.labelled(words, colon, draft, later):
        return True
    if listings.listed_entities(words, draft, later):
        return True
    bare = listings.bracketed_subject(words, draft, later)
    frame = frames.parse(bare)
    if frame is None:
        return headings.verbless(bare, draft, later)
    return of_frame(frame, draft, later)


def of_frame(frame: frames.Frame, draft: Draft, later: references.Open) -> bool:
    """Read a clause that has been taken apart."""
    if frame.subject and frame.subject[0].low in {"whether", "if"}:
        return False  # "(tell) whether it is in a subnet": a question
    return not _reports(frame, draft) and any(
        reader(frame, draft, later)
        for reader in (
            measures.measured,
            measures.numbered,
            holding.giving,
            holding.holding,
            belonging.belonging,
            managing.managing,
            managing.ordering,
            managing.consisting,
            acting.linked,
            acting.transitive,
        )
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
    things = [name for name in naming.subject_names(frame.subject, draft) if not naming.is_generic(name)]
    held = {field for name in things if name in draft.entities for field in draft.entities[name].fields}
    return not things or morphology.name(*lows[each + 1 :]) in held


__all__ = [
    "AT_LEAST",
    "GENERIC",
    "SHARED_NOUNS",
    "UNITS",
    "Open",
    "hold",
    "is_generic",
    "noun_name",
    "of_frame",
    "read",
    "refer",
    "relation",
]
