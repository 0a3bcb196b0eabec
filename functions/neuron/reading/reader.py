"""Reads a request for software, in plain English, into a specification."""

from __future__ import annotations

from typing import Final

from functions.neuron.reading import assembly, clauses, closing, declarations, rules, subject, tokens
from functions.neuron.reading.draft import Draft
from shared.software.specification import Specification

LONGEST: Final = 20_000  # code points


class UnreadableError(ValueError):
    """The request says nothing that software can be made of. The text is a sentence for the customer."""


def read(request: str) -> Specification:
    """Read a request.

    Args:
        request: Plain English; at most `LONGEST` code points.

    Returns:
        A specification that is closed; its `clauses` say what became of every part of the request.

    Raises:
        UnreadableError: Nothing in the request says what the software should keep or compute.
    """
    if len(request) > LONGEST:
        raise UnreadableError(f"The request is longer than {LONGEST} characters; describe the software more briefly.")
    if not any(character.isalpha() for character in request):
        raise UnreadableError(
            "The request is empty; say in a few sentences what the software should keep, compute and refuse."
        )
    cut = tokens.tokenise(request)
    draft = Draft(request, clauses=clauses.split(cut))
    draft.kind, _ = subject.kind(cut, draft.clauses)
    _declare(draft)
    _rule(draft)
    if not assembly.covered(draft):
        raise UnreadableError(
            "HAL9 found nothing in the request that software could keep or compute; name the things it should look after, what they hold, or what it should calculate."
        )
    draft.name, draft.title = subject.title(request, draft.clauses, list(draft.entities))
    return assembly.assemble(draft)


def _declare(draft: Draft) -> None:
    later = declarations.Open()
    for draft.at, clause in enumerate(draft.clauses):
        declarations.read(clause, draft, later)
    closing.close(draft, later)


def _rule(draft: Draft) -> None:
    rules.stated_uniqueness(draft)
    for draft.at, clause in enumerate(draft.clauses):
        reading = rules.reading_of(clause, draft)
        if reading is None:
            continue
        any(reader(reading, draft) for reader in rules.READERS)
        if reading.subject is not None:
            draft.topic = reading.subject.name
    rules.implied_capacities(draft)
