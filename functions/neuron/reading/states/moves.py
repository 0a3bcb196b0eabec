"""Reads what moves a thing from state to state: "only placed orders can be cancelled", "members return books"."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import closing, conditions, lexicon, morphology, quantities
from functions.neuron.reading.draft import DraftMachine
from functions.neuron.reading.rules import moments, parts, readings
from functions.neuron.reading.states import archives, machines, origins, paths
from shared.software.specification import Condition, Operator, Transition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.rules import Reading
    from functions.neuron.reading.tokens import Token

_UNDOING: Final = {
    "reopen": "open",
    "retry": "open",
    "rerun": "open",
    "requeue": "open",
    "reactivate": "active",
    "restore": "active",
    "unarchive": "active",
    "unpublish": "draft",
    "resume": "active",
    "unblock": "active",
    "unsuspend": "active",
    "uncancel": "open",
    "unlock": "open",
}


def moved(r: Reading, draft: Draft) -> bool:
    """Read "only placed orders can be cancelled", "a paid invoice can be refunded"."""
    timed = any(quantities.duration(r.frame.rest, i) is not None for i in range(len(r.frame.rest)))
    if timed or _of_deed(r) or _guards(r) or _used_for(r):
        return False
    if (r.frame.rest and r.frame.rest[0].low == "no") or "how" in r.lows or _counts(r.lows):
        return False
    if _describes(r):
        return False
    if r.subject is None or not r.subjects:
        return _imperative(r, draft)
    if not r.frame.group.passive or r.frame.modal not in {
        "can",
        "may",
        "must",
        None,
        "cannot",
        "could",
        "will",
        "should",
    }:
        return _active(r, draft)
    entity = r.subject
    plain = paths.PLAIN - ({"use", "sell", "save"} if origins.sources(r, entity, draft) else set())
    verbs = [verb for verb in r.frame.group.verbs if verb not in plain and verb not in lexicon.OPERATION_VERBS]
    flags = [
        f.name
        for verb in verbs
        for n, f in entity.fields.items()
        if n in {morphology.name(morphology.participle(verb)), f"is_{morphology.participle(verb)}"} and not f.values
    ]
    if flags and len(flags) == len(verbs) and not r.frame.negated and not r.frame.only and not r.subjects[0].adjectives:
        return draft.mark(*[("field", entity.name, name) for name in flags])
    if set(verbs) & (lexicon.LINKING_VERBS.keys() - {"complete", "submit", "review"}) and r.objects:
        return False
    untold = r.frame.modal is None and not r.frame.conditions and not origins.sources(r, entity, draft)
    if not verbs or untold or _links(verbs, entity, draft) or (r.frame.negated and _checked(r, entity, draft)):
        return False
    begun = origins.sources(r, entity, draft)
    mark = _mark(r) if not r.frame.negated else None
    if mark is not None and set(verbs) <= _MARKING:
        return _marked(draft, entity, mark, begun)
    moved = [
        _marked(draft, entity, mark, begun) if mark is not None and verb in _MARKING else _move(r, draft, entity, verb)
        for verb in verbs
    ]
    _move_ones(r, draft, entity)
    archives.instead_of_deletion(r, draft, entity)
    return _guarded(r, draft, moved=any(moved))


def _describes(r: Reading) -> bool:
    """Whether a sentence tells what people do or what a thing has, and moves nothing: "we sell books"."""
    if r.frame.modal is not None or not r.frame.subject or r.frame.group.passive:
        return False
    pointed = bool(r.frame.rest) and r.frame.rest[0].low in {"it", "them"}  # "I start a timer and stop it"
    marked = r.frame.verb in _MARKING and "as" in [t.low for t in r.frame.rest]  # "I mark articles as read"
    ours = r.frame.subject[0].low in {"we", "i", "our"} and not pointed and not marked
    return ours or "with" in [t.low for t in r.frame.rest]


def _mark(r: Reading) -> Sequence[Token] | None:
    """Give what things are marked with: "tasks can be marked as done", "tasks can be marked done"."""
    rest = r.frame.rest
    if rest and rest[0].low in {"as", "off"}:
        return rest[1:]
    return rest if rest and (morphology.is_participle(rest[0].low) or rest[0].low.endswith("ed")) else None


def _move_ones(r: Reading, draft: Draft, entity: DraftEntity) -> None:
    """Read what the same sentence says of others: "active subscriptions can be paused and paused ones resumed"."""
    for before, ones, deed in zip(r.frame.rest, r.frame.rest[1:], r.frame.rest[2:], strict=False):
        source = machines.spelled(entity.machine, before.low) if entity.machine is not None else None
        if ones.low != "ones" or source is None or not morphology.is_participle(deed.low) or deed.verb is None:
            continue
        undone = machines.spelled(entity.machine, _UNDOING.get(deed.verb, "")) if entity.machine is not None else None
        machines.add_move(draft, entity, undone or deed.low, [source], name=machines.move_name(deed.verb))


def _guarded(r: Reading, draft: Draft, *, moved: bool) -> bool:
    """Hold what the same sentence demands of a move: "can only be opened if it has at least one question"."""
    if moved:
        parts.guard_by_parts(r, draft)
        _further(r, draft)
    return moved


def _further(r: Reading, draft: Draft) -> None:
    """Keep what "can be redeemed only if it is active and not expired" demands besides until all fields are known."""
    entity = r.subject
    if entity is None or entity.machine is None or len(r.frame.conditions) != 1 or r.frame.negated:
        return
    word, said = r.frame.conditions[0]
    if word in {"before", "after"} and not origins.sources(r, entity, draft):
        draft.demands.append((r, tuple(said), draft.at))
    for part in origins.joined(said)[1:] if word == "if" else ():
        if not origins.named_states([t.low for t in part], entity, loose=False):  # the move does not begin there
            draft.demands.append((r, tuple(part), draft.at))


def held_back(draft: Draft) -> None:
    """Guard moves by what they demand besides the state to move from."""
    for r, part, at in draft.demands:
        draft.at = at
        entity, machine = r.subject, r.subject.machine if r.subject is not None else None
        if entity is None or machine is None:
            continue
        word = r.frame.conditions[0][0]
        stated = conditions.predicate(part, entity, draft) if origins.denied(part) else None
        stated = _timed(word, part, entity, draft) if word in {"before", "after"} else stated
        told = tuple(c for c in stated or () if c.field != machine.field)
        moves = [machines.move_name(verb) for verb in r.frame.group.verbs]
        if not told or not set(moves) <= set(machine.transitions):
            draft.leave(part, "this condition is not checked")
            continue
        draft.mark(*[readings.guarded(r, draft, entity, move, told) for move in moves])


def _timed(word: str, said: Sequence[Token], entity: DraftEntity, draft: Draft) -> tuple[Condition, ...] | None:
    """Read "(only before) the event starts" against the present: of the thing itself, or of what it refers to."""
    mention = next(iter(draft.mentions(said)), None)
    owner = mention.entity if mention is not None and mention.start <= 1 else entity
    reference = entity.reference_to(owner.name) if owner is not entity else None
    point = moments.point_in(said, owner)
    if point is None or point.managed or (owner is not entity and reference is None):
        return None
    name = point.name if reference is None else f"{reference.name}.{point.name}"
    operator = Operator.GT if word == "before" else Operator.LE
    return (Condition(field=name, operator=operator, other=conditions.moment(point)),)


def _of_deed(r: Reading) -> bool:
    """Whether a deed is spoken of, and no thing: "deleting a company is refused"."""
    if not r.frame.subject or r.frame.subject[0].verb is None or not r.frame.subject[0].low.endswith("ing"):
        return False
    machine = r.subject.machine if r.subject is not None else None
    return machine is None or machines.spelled(machine, r.frame.subject[0].low) is None  # "running ones can end"


def _guards(r: Reading) -> bool:
    """Whether a clause guards, and moves nothing: "responses can only be given to open surveys"."""
    passive = r.frame.only and r.frame.group.passive and bool(r.subjects) and not r.subjects[0].adjectives
    return passive and any(m.adjectives for m in r.objects if m.entity is not r.subject)


_MARKING: Final = frozenset({"mark", "flag", "tick", "set"})


def _checked(r: Reading, entity: DraftEntity, draft: Draft) -> bool:
    """Whether a move is refused for what a field says, not for the state: "cannot be paid while it has no reward"."""
    if origins.sources(r, entity, draft):
        return False
    found = [conditions.predicate(tokens, entity, draft) for _, tokens in r.frame.conditions]
    held = entity.machine.field if entity.machine is not None else ""
    return any(condition.field != held for part in found if part for condition in part)


_OFTEN: Final = frozenset({"per", "a", "each", "every", "for", "on"})


def _counts(lows: Sequence[str]) -> bool:
    """Whether "once" says how often: "given once per date", and not since when; so do "twice" and "three times"."""
    if {"twice", "thrice"} & set(lows) or any(b == "times" and a not in {"all", "at"} for a, b in pairwise(lows)):
        return True
    at = lows.index("once") if "once" in lows else None
    return at is not None and (at + 1 == len(lows) or lows[at + 1] in _OFTEN)


def _links(verbs: Sequence[str], entity: DraftEntity, draft: Draft) -> bool:
    return any(
        closing.makes(verb, other) and other.reference_to(entity.name)
        for verb in verbs
        for other in draft.entities.values()
    )


def _move(r: Reading, draft: Draft, entity: DraftEntity, verb: str) -> bool:
    sources = origins.sources(r, entity, draft)
    undone = _UNDOING.get(verb)
    target = undone or morphology.participle(verb).replace("_", " ")
    if undone:
        target = _begun_again(entity, undone)
    if r.frame.negated and r.frame.conditions and r.frame.conditions[0][0] in origins.EXCEPTING:
        allowed = sources
    elif r.frame.negated:
        return _refuse(draft, entity, verb, target, sources)
    else:
        allowed = sources
    named = next((s for s in machines.states_of(entity) if machines.action_of(s) == verb), None)
    target = named or target
    presumed = [*allowed, target] if allowed and not machines.states_of(entity) else []
    machine = machines.machine_of(draft, entity, presumed or machines.with_initial(entity, target), ordered=False)
    state = machines.spelled(machine, target) or target
    if allowed:
        machines.machine_of(draft, entity, allowed, ordered=False)
        known = machine.transitions.get(machines.move_name(verb))
        begun = [machines.spelled(machine, s) or s for s in allowed]
        if known is not None and known.name in machine.stated and not r.frame.only:
            begun = [*known.sources, *(s for s in begun if s not in known.sources)]
        machine.stated.add(machines.move_name(verb))
        if known is not None:
            machine.transitions[known.name] = known.model_copy(update={"sources": tuple(begun)})
            return draft.mark(("transition", entity.name, known.name))
        machines.add_move(
            draft, entity, state, [machines.spelled(machine, s) or s for s in allowed], name=machines.move_name(verb)
        )
        return draft.mark(("transition", entity.name, machines.move_name(verb)))
    if machines.move_name(verb) not in machine.transitions:
        machines.add_move(
            draft,
            entity,
            state,
            _from_here(r, machine, state),
            name=machines.move_name(verb),
        )
        machine.open_ended = machine.open_ended and True
    return draft.mark(("transition", entity.name, machines.move_name(verb)))


def _begun_again(entity: DraftEntity, undone: str) -> str:
    """Give the state that a move back leads to: the one that it means, else the one in which things begin."""
    states = machines.states_of(entity)
    first = (entity.machine.initial if entity.machine is not None else next(iter(states), None)) or undone
    return next((s for s in states if morphology.name(s) in {undone, *machines.INITIAL[:3]}), first)


def _from_here(r: Reading, machine: DraftMachine, state: str) -> list[str]:
    """Give where a move starts that says nothing of it: not at an end; "approved or rejected" at the beginning."""
    if "or" in r.lows and machine.initial not in {None, state}:
        return [s for s in machine.states if s == machine.initial]
    return [s for s in machine.states if s != state and (machine.initial == s or not machines.is_end(s))]


def _refuse(draft: Draft, entity: DraftEntity, verb: str, target: str, sources: Sequence[str]) -> bool:
    """Read "closed tickets cannot be reopened": the move exists, but not from there."""
    machine = entity.machine
    if machine is None and not any(entity.fields[n].values for n in machines.STATE_FIELDS if n in entity.fields):
        if not sources:
            return False
        machine = machines.machine_of(draft, entity, [*sources, target], ordered=False)
    machine = machines.machine_of(draft, entity, list(sources), ordered=False)
    name = machines.move_name(verb)
    state = machines.spelled(machine, target)
    if verb in _UNDOING:
        if name in machine.transitions:
            paths.forbid(machine, sources, [machine.transitions[name].target])
        machine.forbidden.update((s, machine.initial or "") for s in sources)
        return draft.mark(("machine", entity.name))
    if state is None:
        machines.machine_of(draft, entity, [target], ordered=False)
        state = machines.spelled(machine, target) or target
    allowed = [s for s in machine.states if s != state and s not in sources and not machines.is_end(s)]
    known = machine.transitions.get(name)
    if known is not None:
        allowed = [s for s in known.sources if s not in sources]
    if not allowed:
        return False
    machine.transitions[name] = Transition(
        name=name, sources=tuple(allowed), target=state, stamps=known.stamps if known else None
    )
    return draft.mark(("transition", entity.name, name), ("machine", entity.name))


def _imperative(r: Reading, draft: Draft) -> bool:
    """Read "complete a task", "mark a task as done", "users can archive notes", "members return books"."""
    if r.frame.negated or not r.objects or r.frame.rest[0].low in lexicon.PREPOSITIONS:
        return False
    moved = [_ordered_move(r, draft, verb) for verb in r.frame.group.verbs]
    return any(moved)


def _active(r: Reading, draft: Draft) -> bool:
    """Read "admins can approve requests", "a manager approves a request", "a user can cancel a booking"."""
    if any(
        (b := quantities.bound(r.frame.rest, i)) is not None and not b[0].exact
        for i in range(min(4, len(r.frame.rest)))
    ):
        return False
    if _of_itself(r, draft):
        return True
    if r.frame.group.passive or r.frame.negated or not r.objects or r.objects[0].entity is r.subject or r.frame.only:
        return False
    if r.frame.rest[0].low in lexicon.PREPOSITIONS or _led(r):
        return False  # "candidates stand for an election": nothing is done to the election
    moved = [_ordered_move(r, draft, verb) for verb in r.frame.group.verbs]
    return any(moved)


def _led(r: Reading) -> bool:
    """Whether a preposition leads what is no object then: "can appear only once in an order"."""
    at = r.objects[0].start - len(r.objects[0].adjectives)
    while at > 0 and r.frame.rest[at - 1].low in lexicon.DETERMINERS:
        at -= 1
    return at > 0 and r.frame.rest[at - 1].low in {"in", "on", "within", "per", "among"}


def _used_for(r: Reading) -> bool:
    """Whether things are used for something that refers to them: "only active vehicles may be used for trips"."""
    entity = r.subject
    led = r.frame.group.passive and bool(r.frame.rest) and r.frame.rest[0].low in {"for", "in", "on"}
    if entity is None or not led:
        return False
    pointing = any(m.entity is not entity and m.entity.reference_to(entity.name) for m in r.objects)
    return pointing and set(r.frame.group.verbs) <= {"use", "assign", "choose", "select", "pick", "put"}


def _of_itself(r: Reading, draft: Draft) -> bool:
    """Read "offered applicants accept or withdraw": from the state in front of it, a thing moves of itself."""
    entity = r.subject
    if entity is None or entity.machine is None or r.frame.group.passive or r.frame.negated or r.objects:
        return False
    targets = [machines.spelled(entity.machine, morphology.participle(verb)) for verb in r.frame.group.verbs]
    if None in targets or not r.subjects[0].adjectives or not origins.sources(r, entity, draft):
        return False
    return all([_move(r, draft, entity, verb) for verb in r.frame.group.verbs])  # noqa: C419 - every one is made


_ORDERED_MOVE_WORDS: Final = lexicon.words(
    "search find filter calculate compute count convert export import report pay send print borrow manage track "
    "place write leave give take support provide assign own run want contain hold receive offer belong refer "
    "follow like buy"
)


_RECKONING: Final = lexicon.words(
    "multiply divide square round invert negate convert compute calculate count shuffle sort reverse move deposit"
)
"""What is done with numbers or lists, and moves nothing into a state of that name."""


def _ordered_move(r: Reading, draft: Draft, verb: str) -> bool:
    entity = r.objects[0].entity
    if verb in _MARKING:
        at = next((i for i, t in enumerate(r.frame.rest) if t.low in {"as", "to"} and i >= r.objects[0].end), None)
        behind = r.frame.rest[(at + 1 if at is not None else r.objects[0].end) :]
        if [t.low for t in behind] == ["off"]:  # "tick them off"
            return _marked(draft, entity, [machines.done(verb, behind[0])])
        return _marked(draft, entity, behind)
    if (
        verb in paths.PLAIN | _RECKONING
        or verb in lexicon.OPERATION_VERBS
        or (verb in _ORDERED_MOVE_WORDS and verb not in {"pay", "send"})
    ):
        return False
    linked = next(
        (
            e
            for e in draft.entities.values()
            if e.link_verb
            and e.machine
            and verb in e.machine.transitions
            and (e is entity or e.reference_to(entity.name))
        ),
        None,
    )
    if linked is not None:
        return draft.mark(("transition", linked.name, verb))
    if _links([verb], entity, draft) or closing.makes(verb, entity) or verb not in lexicon.VERBS:
        return False
    if verb in lexicon.LINKING_VERBS and verb not in {"complete", "submit"}:
        return False
    if verb in _UNDOING and entity.machine is None:
        return False  # "resume it" where nothing says what it is when it is not resumed
    return _move_simply(r, draft, entity, verb)


def _move_simply(r: Reading, draft: Draft, entity: DraftEntity, verb: str) -> bool:
    flag = next(
        (
            f
            for n, f in entity.fields.items()
            if n in {morphology.name(morphology.participle(verb)), verb, f"is_{morphology.participle(verb)}"}
            and not f.values
        ),
        None,
    )
    if flag is not None or (verb == "complete" and "done" in entity.fields):
        return draft.mark(("field", entity.name, flag.name if flag else "done"))
    target = morphology.participle(verb).replace("_", " ")
    if verb in {"complete", "finish"} and entity.machine and (done := machines.spelled(entity.machine, "done")):
        target = done
    value = next(
        (
            v
            for n in machines.STATE_FIELDS
            if n in entity.fields
            for v in entity.fields[n].values
            if machines.action_of(v) == verb
        ),
        None,
    )
    back = verb in _UNDOING and entity.machine is not None  # it leads to a state that there is
    states = [] if back else machines.with_initial(entity, value or target)
    machine = machines.machine_of(draft, entity, states, ordered=False)
    state = machines.spelled(machine, value or target) or target
    sources = [
        s for t in r.objects[0].adjectives for s in machine.states if morphology.name(s) == morphology.name(t.low)
    ]
    if verb in _UNDOING:
        state = machine.initial or state
    machines.add_move(
        draft,
        entity,
        state,
        sources
        or [s for s in machine.states if s != state and not machines.is_end(s)]
        or [s for s in machine.states if s != state],
        name=machines.move_name(verb),
    )
    return draft.mark(("transition", entity.name, machines.move_name(verb)))


def _marked(draft: Draft, entity: DraftEntity, tokens: Sequence[Token], sources: Sequence[str] = ()) -> bool:
    """Read what stands behind "as" in "mark a task as done" and "may be marked as paid or written off"."""
    words = [t.low for t in tokens if t.is_word and t.low not in lexicon.DETERMINERS - {"no"}]
    states = [" ".join(state[:_LONGEST_MARK]) for state in paths.cut(words, {"or", "and"}) if state]
    if not states:
        return False
    for state in states:
        truth = conditions.truth(morphology.name(state), entity)
        if truth is not None:
            draft.mark(("field", entity.name, truth[0].field))
            continue
        presumed = [*sources, state] if sources else machines.with_initial(entity, state)
        machine = machines.machine_of(draft, entity, presumed, ordered=False)
        own = machines.spelled(machine, state) or state
        begun = [s for s in machine.states if s != own and not machines.is_end(s) and s not in states]
        machines.add_move(draft, entity, own, [machines.spelled(machine, s) or s for s in sources] or begun)
    return True


_LONGEST_MARK: Final = 2
