"""Reads what states there are, and which of them a thing begins in: "a ticket can be open or closed", "new"."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import conditions, fields, lexicon, morphology, quantities
from functions.neuron.reading.draft import DraftField
from functions.neuron.reading.states import machines, origins, paths
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.rules import Reading
    from functions.neuron.reading.tokens import Token


def done_or_not(r: Reading, draft: Draft) -> bool:
    """Read "it has been vaccinated or it hasn't": whether it has is kept."""
    entity = machines.thing_of(r, draft)
    at = next((i for i, t in enumerate(r.words) if t.low == "or"), None)
    if entity is None or at is None or not r.frame.group.passive or r.frame.negated:
        return False
    behind = [t.low for t in r.words[at + 1 :] if t.low not in {"it", "they", "he", "she"}]
    if behind not in (["not"], ["hasn't"], ["has", "not"], ["haven't"], ["is-not"], ["have", "not"]):
        return False
    done = morphology.participle(r.frame.verb)
    field = entity.add(DraftField(morphology.name(done), FieldType.BOOLEAN))
    return draft.mark(("field", entity.name, field.name))


def listed(r: Reading, draft: Draft) -> bool:
    """Read "a ticket can be open, in progress or closed", "its status is one of draft, sent and paid"."""
    entity = machines.thing_of(r, draft)
    if entity is None or r.frame.negated or (r.frame.verb not in {"be", "have"} and not r.frame.group.passive):
        return False
    named = conditions.find_field(r.frame.subject, entity)
    if named is not None and named[0].name not in machines.STATE_FIELDS:
        return False
    probe = _said(r)
    if probe is None:
        return False
    if r.frame.group.passive and not _names_states(r) and origins.sources(r, entity, draft):
        return False  # "a claim under review is approved or rejected": what may be done then
    deeds = r.frame.group.passive and all(morphology.is_participle(v.split()[0].lower()) for v in probe.values)
    begun = entity.machine is not None and entity.machine.initial not in probe.values
    if deeds and r.frame.modal is not None and (begun or (r.subjects and r.subjects[0].adjectives)):
        return False
    if named is None and any(morphology.name(v) in entity.fields for v in probe.values):
        return False
    if named is not None and r.frame.modal is None and not r.frame.group.passive:
        named[0].values = probe.values
        named[0].type = FieldType.ENUM
        named[0].default = probe.default if probe.default is not None else named[0].default
        return draft.mark(("field", entity.name, named[0].name))
    if named is None and entity.machine is None and not any(map(_like_state, probe.values)):
        kind = entity.add(DraftField("kind", FieldType.ENUM, values=probe.values, default=probe.default))
        return draft.mark(("field", entity.name, kind.name))  # "materials are either paper, glass or metal"
    machine = machines.machine_of(draft, entity, probe.values, ordered=False)
    if probe.default is not None:
        machine.initial = machines.spelled(machine, str(probe.default)) or machine.initial
    return True


def _said(r: Reading) -> DraftField | None:
    """Give the values, and the default, that a clause says to its end; None where it says something else."""
    tokens = paths.complement(r)
    tokens = tokens[tokens[:1] != [] and tokens[0].low in {"a", "an"} :]  # "is a draft, open or closed"
    probe = DraftField("probe")
    end = fields.attributes([*_be(r), *tokens], 0, probe)
    if _names_states(r):
        named = [" ".join(words) for words in paths.cut([t.low for t in tokens], {",", "and", "or"}) if words]
        short = all(len(state.split()) <= machines.LONGEST_STATE for state in named)
        probe.values, end = (tuple(named), len(tokens)) if short else ((), 0)
    return probe if len(probe.values) > 1 and end >= len(tokens) else None


def _like_state(value: str) -> bool:
    """Whether a word may be the name of a state that a thing gets into and out of, rather than of a kind of thing."""
    first = value.split()[0].lower()
    told = morphology.is_participle(first) or first in {"in", "on", "under", "out", "not", "at"}
    shaped = first.endswith(("ed", "ing", "able", "ible", "ive"))
    return told or shaped or machines.is_usual(value) or morphology.verb_base(first) == first


def _names_states(r: Reading) -> bool:
    """Whether a clause says what states there are: "the states of a claim are submitted, approved and paid"."""
    heads = [t.singular for t in r.frame.subject[:3] if t.low not in lexicon.DETERMINERS | {"possible"}]
    return heads[:1] in (["state"], ["status"], ["stage"], ["phase"]) and "be" in {t.verb for t in _be(r)}


def _be(r: Reading) -> list[Token]:
    return [token for token in r.words if token.low in lexicon.BE][:1]


def _at_first(words: Sequence[Token]) -> Sequence[Token] | None:
    """Give the words that say "at the beginning"; None where there are none."""
    for i in range(1, len(words)):
        end = quantities.any_phrase(words, i, _AT_FIRST)
        if end is not None:
            return words[i:end]
    return None


def _when_made(r: Reading) -> bool:
    """Whether it is said how something is "when bought" or "when created"."""
    told = [tokens for word, tokens in r.frame.conditions if word == "when"]
    return len(told) == 1 and len(r.frame.conditions) == 1 and [t.low for t in told[0]] in _MADE


_MADE: Final = [
    [word] for word in ("bought", "created", "made", "added", "registered", "sold", "issued", "opened", "placed", "new")
]
_AT_FIRST: Final = ("to begin with", "to start with", "in the beginning", "at the beginning")


def _left_from(r: Reading, draft: Draft) -> bool:
    """Whether "lessons are planned" is all that is said, and another clause tells what "a planned lesson" can be."""
    bare = r.frame.group.passive and r.frame.modal is None and not r.frame.rest and not r.frame.conditions
    if not bare or len(r.subjects) != 1 or r.subjects[0].adjectives or len(r.words) != r.subjects[0].end + 2:
        return False
    state, noun = r.words[-1].low, r.subjects[0].entity.words[-1]
    pairs = ((a.low, b.singular) for clause in draft.clauses for a, b in itertools.pairwise(clause.tokens))
    return (state, noun) in pairs


def initial(r: Reading, draft: Draft) -> bool:
    """Read "an order starts as draft", "a new ticket is open", "tasks are initially pending"."""
    entity = machines.thing_of(r, draft)
    if entity is None or r.frame.negated:
        return False
    lows = r.lows
    begins = (
        (r.frame.verb in {"start", "begin"} and (not r.frame.group.passive or "as" in lows))
        or "initially" in lows
        or _at_first(r.words) is not None
        or (r.frame.verb == "be" and _when_made(r))
        or ("first" in lows and "at" in lows and r.frame.verb == "be")
        or (r.frame.group.passive and r.frame.verb in {"create", "add", "place", "open"} and "as" in lows)
        or _left_from(r, draft)
        or ("new" in [t.low for t in r.frame.subject] and r.frame.verb in {"be", "start", "have", "get"})
    )
    if not begins or (not r.frame.rest and r.frame.conditions and r.frame.verb in {"start", "begin"}):
        return False  # "a rental starts when a customer takes a bike": no state is named
    rest: Sequence[Token] = r.frame.rest
    if (first := _at_first(r.words)) is not None:
        rest = [t for t in paths.complement(r) if t not in first]  # "it is booked to begin with"
    words = [
        t
        for t in rest
        if t.is_word
        and t.low
        not in lexicon.DETERMINERS
        | lexicon.PREPOSITIONS
        | lexicon.ADVERBS
        | {"state", "status", "out", "off", "initially"}
        | set(machines.STATE_FIELDS)
    ] or list(r.words[-1:])
    state = paths.state_phrase(rest) or " ".join(t.low for t in words[:2])
    if not state or any(quantities.is_number(t) for t in rest):
        return False
    machine = machines.machine_of(draft, entity, [state], ordered=False)
    machine.initial = machines.spelled(machine, state)
    if machine.states[0] != machine.initial and machine.initial is not None:
        machine.states.remove(machine.initial)
        machine.states.insert(0, machine.initial)
    return True
