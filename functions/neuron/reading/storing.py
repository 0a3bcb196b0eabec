"""Reads where a program is to keep its data: "the tasks are kept in a file between calls".

Promises: that data outlives a call counts as done; another place or format than the project's own is told to the
customer as not done, and never becomes a thing that the program keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import frames, lexicon
from shared.software.specification import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.clauses import Clause
    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.tokens import Token

_KEEPING: Final = lexicon.words("keep store save persist remember write hold survive")
_PLACES: Final = lexicon.words("file files disk database db sqlite folder directory")
_CALLS: Final = lexicon.words(
    "calls call runs run sessions session restarts restart invocations invocation starts executions uses reboots"
)
_SAID: Final = lexicon.words(
    "in to on at into between across over from one next a an the single local small simple plain persistently "
    "permanently and my their its own user's home"
)
_ELSEWHERE: Final = (
    "The program keeps its data in an SQLite database in the folder that DATA_DIR names, in no other place or format."
)


def read(clause: Clause, draft: Draft) -> bool:
    """Read a clause that says where data is kept, or that it is; True when it is about that."""
    frame = frames.parse(clause.words)
    if draft.kind is not Kind.COMMAND_LINE or frame is None or frame.negated or frame.verb not in _KEEPING:
        return False
    if not draft.entities or not _names_place(frame.rest) or not _of_data(frame, draft):
        return False
    strange = [t for t in frame.rest if t.low not in _SAID | _PLACES | _CALLS and not _speaks_of_data(t, draft)]
    if strange:
        draft.reasons[draft.at] = _ELSEWHERE
    else:
        draft.mark(("kind",))
    return True


def _names_place(said: Sequence[Token]) -> bool:
    """Whether words end in a place or in calls that data outlives: "in a JSON file", "between runs"."""
    return any(
        token.low in _PLACES | _CALLS and any(before.low in lexicon.PREPOSITIONS for before in said[:i])
        for i, token in enumerate(said)
    ) or any(token.low in _CALLS for token in said[-1:])


def _of_data(frame: frames.Frame, draft: Draft) -> bool:
    """Whether it is the data that is kept, and the software that keeps it."""
    said = [t for t in frame.subject if t.low not in lexicon.DETERMINERS]
    return all(_speaks_of_data(t, draft) or t.low in _SOFTWARE for t in said)


_SOFTWARE: Final = lexicon.words("it they tool program app application cli software which that must should")
_DATA: Final = lexicon.words("data everything all them it they entries records changes state content contents")


def _speaks_of_data(token: Token, draft: Draft) -> bool:
    return token.low in _DATA or token.singular in draft.entities
