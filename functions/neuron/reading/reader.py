"""Reads a request for software, in plain English, into a specification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import (
    assembly,
    bare_rules,
    clauses,
    closing,
    computing,
    conditions,
    declarations,
    descriptions,
    effects,
    figures,
    flows,
    foremost,
    frames,
    idioms,
    implied,
    lexicon,
    outside,
    reporting,
    rules,
    states,
    storing,
    structures,
    subject,
    tokens,
    views,
)
from functions.neuron.reading.draft import Draft
from shared.software.specification import Kind, Specification
from shared.software.structures import offered as structures_offered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.neuron.reading.clauses import Clause

RULES: Final = (
    *idioms.READERS,
    reporting.by_value,
    foremost.next_one,
    bare_rules.stated,
    *rules.READERS,
    idioms.same_moment,
    *views.READERS,
)
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
    draft.describes = draft.kind is Kind.LIBRARY and structures.describes(draft.clauses)
    _declare(draft)
    _compute(draft)
    _drop_headings(draft)
    implied.named_thing(draft)
    _rule(draft)
    if not assembly.covered(draft):
        wanted = structures.unavailable(cut) if draft.kind is Kind.LIBRARY else None
        if wanted is not None:
            raise UnreadableError(
                f"HAL9 has no {wanted} to offer. Of data structures it has these: {structures_offered()}."
            )
        raise UnreadableError(
            "HAL9 found nothing in the request that software could keep or compute; name the things it should "
            "look after, what they hold, or what it should calculate."
        )
    draft.name, draft.title = subject.title(request, draft.clauses, list(draft.entities), list(draft.computations))
    if draft.structures and not draft.entities and not draft.computations:
        draft.name, draft.title = structures.title(draft)
    return assembly.assemble(draft)


def _declare(draft: Draft) -> None:
    later = declarations.Open()
    for at, clause in enumerate(draft.clauses):
        draft.at = at
        if flows.read(clause, draft, later):
            draft.topics[at] = draft.topic
            continue
        if foremost.told(clause) and draft.entities:
            draft.topics[at] = draft.topic
            continue
        if structures.read(clause, draft):
            draft.settle()
            continue
        if draft.kind is not Kind.API and not _keeps(clause, draft) and computing.read(clause, draft):
            draft.settle()
            continue
        draft.leave(*outside.actor(clause, draft.request))
        why = outside.reason(clause, draft.request)
        if why is not None and not _lists_fields(clause):
            draft.reasons[draft.at] = why
            continue
        if structures.beyond(draft):
            continue
        if storing.read(clause, draft):
            continue
        if not descriptions.early(clause, draft, later):
            words = descriptions.beside(clause, draft, later)
            _ = declarations.read(clause, draft, later, words) or descriptions.read(clause, draft, later)
        draft.topics[at] = draft.topic
    implied.things(draft)
    closing.close(draft, later)
    implied.relations(draft)
    flows.implied(draft)


def _drop_headings(draft: Draft) -> None:
    """Let go of what only an introduction names ("a library with math functions") when the rest is computed."""
    if draft.kind is Kind.LIBRARY and (draft.computations or draft.structures):
        for name in draft.weak & set(draft.entities):
            if len(draft.entities[name].fields) <= 1:
                del draft.entities[name]


def _lists_fields(clause: Clause) -> bool:
    frame = frames.parse(clause.words)
    return clause.intro or (frame is not None and frame.verb in lexicon.HOLDING_VERBS)


_INTRODUCED_WORDS: Final = lexicon.words("please provide build create make write develop implement it this we i")


def _introduced(draft: Draft) -> None:
    """Count a short first clause that only says what kind of software is wanted as done."""
    for at, clause in enumerate(draft.clauses):
        draft.at = at
        if subject.only_kind(clause) and not draft.marks.get(at) and at not in draft.reasons:
            draft.mark(("kind",))
        asks = draft.at == 0 or (len(clause.tokens) <= 8 and clause.tokens[0].low in _INTRODUCED_WORDS)
        if (
            asks
            and not draft.marks.get(draft.at)
            and draft.at not in draft.reasons
            and len(clause.tokens) <= 9
            and subject.names_kind(clause)
        ):
            draft.mark(("kind",))


def _topic(reading: rules.Reading, draft: Draft) -> str | None:
    """Give what the next clause's "it" stands for; nothing when this one speaks of something unknown."""
    if reading.subject is not None:
        return reading.subject.name
    unknown = reading.frame.subject and reading.frame.subject[0].low in {"a", "an", "each", "every"}
    return None if unknown else draft.topic


def _keeps(clause: Clause, draft: Draft) -> bool:
    """Whether a clause speaks of what is kept: it lists what something holds, or names such a thing."""
    if "is_strong_password" in draft.computations and "password" in {token.singular for token in clause.words}:
        return False
    named = [m.entity for m in draft.mentions(clause.words)]
    if draft.kind is Kind.LIBRARY:  # "a library for date ranges" keeps none, if what is to be computed is said
        named = [entity for entity in named if entity.name not in draft.weak or entity.fields]
    if named or _for_each_kept(clause, draft):
        return True
    if clause.words[0].low in _ASKING:
        return False
    frame = frames.parse(clause.words)
    return frame is not None and frame.verb in {"have", "contain", "consist"} and not clause.intro


_ASKING: Final = frozenset({"how", "which", "what", "whether"})


def _for_each_kept(clause: Clause, draft: Draft) -> bool:
    """Whether a clause asks for something for each value of a field: "the average number of hours per category"."""
    each = next((i for i, t in enumerate(clause.words) if t.low in {"each", "every", "per"}), None)
    return each is not None and any(conditions.field_at(clause.words, each + 1, e) for e in draft.entities.values())


def _compute(draft: Draft) -> None:
    """Read clauses that say what to compute, and what is said of arguments."""
    computing.without_presumed(draft)
    if draft.kind is Kind.API and not draft.entities:
        for at, clause in enumerate(draft.clauses):
            draft.at = at
            if draft.at not in draft.reasons and computing.read(clause, draft):
                draft.settle()
    for at, clause in enumerate(draft.clauses):
        draft.at = at
        if (
            draft.computations
            and draft.at not in draft.settled
            and draft.at not in draft.reasons
            and computing.restricts(clause, draft)
        ):
            draft.settle()


def _rule(draft: Draft) -> None:
    rules.stated_uniqueness(draft)
    rules.stated_comparisons(draft)
    rules.stated_differences(draft)
    rules.stated_presents(draft)
    figures.stated(draft)
    _each_clause(draft, states.READERS)
    states.counted(draft)
    for readers in (effects.READERS, effects.BOUNDS, RULES):
        _each_clause(draft, readers)
    _introduced(draft)
    states.complete(draft)
    states.held_back(draft)
    rules.one_current(draft)
    rules.implied_capacities(draft)
    rules.implied_parts(draft)


def _each_clause(draft: Draft, readers: Sequence[Callable[[rules.Reading, Draft], bool]]) -> None:
    """Let the readers of one kind see every clause that is not read to its end."""
    for at, clause in enumerate(draft.clauses):
        draft.at = at
        if draft.at in draft.reasons or draft.at in draft.settled or clause.intro:
            draft.topic = draft.topics.get(at, draft.topic) if at in draft.settled else draft.topic
            continue
        reading = rules.reading_of(clause, draft)
        if any(reader(reading, draft) for reader in readers):
            draft.settle()
        draft.topic = _topic(reading, draft)
