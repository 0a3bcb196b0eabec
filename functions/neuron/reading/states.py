"""Reads life cycles: which states a thing goes through, what moves it, and what may move it from where."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import closing, conditions, fields, lexicon, morphology, quantities
from functions.neuron.reading.draft import DraftField, DraftMachine
from functions.neuron.reading.rules import parts
from shared.software.specification import FieldType, Transition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.rules import Reading
    from functions.neuron.reading.tokens import Token

_GOING: Final = lexicon.words("go move pass progress change transition proceed advance run turn switch evolve")
_PLAIN: Final = lexicon.words(
    "create update delete edit change modify remove add list view see show search find filter sort read get "
    "retrieve make use have be do store save rate set keep allow let need must require include select sell "
    "reference concern involve assign "
    "increase decrease raise reduce lower deduct subtract debit credit increment decrement "
    "total sum average come go occur happen bring put say tell know refuse forbid prohibit permit disallow "
    "identify describe administer manage run operate offer name"
)
# States whose action is not their participle's verb.
_ACTIONS: Final = {
    "in_progress": "start",
    "active": "activate",
    "inactive": "deactivate",
    "open": "open",
    "done": "complete",
    "ready": "mark_ready",
    "available": "release",
    "finished": "finish",
    "live": "go_live",
    "online": "go_online",
    "offline": "go_offline",
    "running": "start",
    "ongoing": "start",
    "under_review": "review",
    "in_review": "review",
    "on_hold": "hold",
    "out_for_delivery": "dispatch",
    "in_transit": "ship",
    "draft": "draft",
    "todo": "reset",
    "won": "win",
    "lost": "lose",
    "empty": "empty",
    "full": "fill",
    "waiting": "wait",
    "overdue": "mark_overdue",
    "enabled": "enable",
    "disabled": "disable",
    "checked_in": "check_in",
    "checked_out": "check_out",
    "no_show": "mark_no_show",
    "sick": "mark_sick",
    "retired": "retire",
    "pending": "reset",
    "new": "reset",
}
_UNDOING: Final = {
    "reopen": "open",
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
_INITIAL: Final = (
    "open",
    "new",
    "draft",
    "pending",
    "todo",
    "created",
    "planned",
    "scheduled",
    "active",
    "available",
    "requested",
    "submitted",
    "placed",
    "registered",
    "received",
    "backlog",
    "to_do",
    "unpaid",
    "idle",
)
_STATE_FIELDS: Final[tuple[str, ...]] = ("status", "state", "stage", "phase")


def action_of(state: str) -> str:
    """Name the action that brings something into a state: shipped -> ship, in progress -> start."""
    name = morphology.name(state)
    if name in _ACTIONS:
        return _ACTIONS[name]
    first, _, rest = name.partition("_")
    base = morphology.verb_base(first) or (morphology.guessed_base(first) if first.endswith("ed") else None)
    if base is not None and (morphology.is_participle(first) or first.endswith("ed")):
        return morphology.name(base, rest) if rest else morphology.name(base)
    return morphology.name("mark", name)


def machine_of(draft: Draft, entity: DraftEntity, states: Sequence[str], *, ordered: bool) -> DraftMachine:
    """Give the entity's machine with (at least) these states; in order of progress when `ordered`."""
    machine = entity.machine
    if machine is None:
        name = next((n for n in _STATE_FIELDS if n in entity.fields), None) or next(
            (
                n
                for n, f in entity.fields.items()
                if f.values and set(map(morphology.name, states)) & set(map(morphology.name, f.values))
            ),
            "status",
        )
        known = entity.fields.get(name)
        listed = list(known.values) if known is not None else []
        item = entity.fields.setdefault(name, DraftField(name))
        item.type, item.managed, item.required = FieldType.ENUM, True, None
        machine = entity.machine = DraftMachine(name, listed)
        if known is not None and known.default is not None:
            machine.initial = str(known.default)
    by_name = {morphology.name(state): state for state in machine.states}
    for state in states:
        if morphology.name(state) not in by_name:
            machine.add_state(state)
    if not ordered and machine.initial is None and machine.states:
        machine.initial = next((s for s in machine.states if morphology.name(s) in _INITIAL), machine.states[0])
    elif machine.initial is None:
        machine.initial = machine.states[0]
    draft.mark(("machine", entity.name), ("field", entity.name, machine.field))
    return machine


def spelled(machine: DraftMachine, state: str) -> str | None:
    """Give the machine's own spelling of a state."""
    return next((s for s in machine.states if morphology.name(s) == morphology.name(state)), None)


def add_move(
    draft: Draft, entity: DraftEntity, target: str, sources: Sequence[str], *, name: str | None = None
) -> None:
    """Add a move into a state, or further sources of one."""
    machine = entity.machine
    if machine is None:
        return
    name = name or action_of(target)
    known = machine.transitions.get(name)
    combined = tuple(dict.fromkeys((*(known.sources if known else ()), *(s for s in sources if s != target))))
    if not combined:
        return
    machine.transitions[name] = Transition(
        name=name,
        sources=combined,
        target=target,
        stamps=known.stamps if known else None,
        when=known.when if known else (),
    )
    draft.mark(("transition", entity.name, name))


# readers


def arrows(r: Reading, draft: Draft) -> bool:
    """Read "draft -> published -> archived, archived -> draft" of what was spoken of last."""
    entity = draft.entities.get(draft.topic or "")
    paths = _drawn(r.words)
    if entity is None or not paths or r.frame.group.start != r.frame.group.end:
        return False
    states = list(dict.fromkeys(state for chain in paths for step in chain for state in step))
    machine = machine_of(draft, entity, states, ordered=True)
    machine.open_ended = False
    machine.initial = spelled(machine, paths[0][0][0])
    for chain in paths:
        _walk(draft, entity, machine, chain)
    return True


_ARROWS: Final = frozenset({"->", "\u2192", "=>"})


def _drawn(tokens: Sequence[Token]) -> list[list[list[str]]]:
    """Cut "a -> b / c -> d, d -> a" into its paths; empty when something else stands there too."""
    words = _joined_arrows(tokens)
    paths: list[list[list[str]]] = []
    for part in _cut(words, {",", ";"}):
        steps = [_cut(step, {"or", "/", "|"}) for step in _cut(part, _ARROWS)]
        chain = [[" ".join(words) for words in step if words] for step in steps]
        if len(chain) < _FEWEST or not all(chain):
            return []
        paths.append(chain)
    return paths if all(len(state.split()) <= _LONGEST_STATE for c in paths for step in c for state in step) else []


_LONGEST_STATE: Final = 3


def _joined_arrows(tokens: Sequence[Token]) -> list[str]:
    words: list[str] = []
    for token in tokens:
        if token.text == ">" and words and words[-1] in {"-", "="}:
            words[-1] += ">"
        else:
            words.append(token.low)
    return words


def _cut(words: Sequence[str], at: frozenset[str] | set[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word in at:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def ending(r: Reading, draft: Draft) -> bool:
    """Read "and end up resolved or closed": where a path that was told ends."""
    entity = _entity(r, draft)
    up = r.frame.verb in {"end", "finish"} and r.frame.rest[:1] and r.frame.rest[0].low in {"up", "as"}
    if entity is None or entity.machine is None or not up or r.frame.negated:
        return False
    last = entity.machine.states[-1]
    ends = _alternatives(r.frame.rest[1:])
    if not ends or any(len(state.split()) > _LONGEST_STATE for state in ends):
        return False
    machine = machine_of(draft, entity, ends, ordered=True)
    machine.open_ended = False
    _walk(draft, entity, machine, [[last], ends])
    return True


def until_done(r: Reading, draft: Draft) -> bool:
    """Read "requests are pending until the manager approves or rejects them": a state, and the deeds that end it."""
    entity = _entity(r, draft)
    if entity is None or r.frame.verb != "be" or r.frame.negated or not r.frame.conditions:
        return False
    word, said = r.frame.conditions[0]
    begun = _state_phrase(r.frame.rest)
    verbs = [t.verb for t in said if t.verb and t.low not in lexicon.BE | lexicon.HAVE | lexicon.MODALS]
    deeds = [verb for verb in verbs if verb not in _PLAIN and verb not in lexicon.NOUN_VERBS]
    named = {t.low for t in said[-1:]} & {"it", "them", "one"} or any(t.low in lexicon.BE for t in said)
    if word not in {"until", "till"} or begun is None or not deeds or not named:
        return False
    machine = machine_of(draft, entity, [begun], ordered=True)
    machine.initial = spelled(machine, begun)
    machine.open_ended = False
    for verb in deeds:
        target = morphology.participle(verb).replace("_", " ")
        machine_of(draft, entity, [target], ordered=True)
        add_move(draft, entity, target, [machine.initial or begun], name=_name(verb))
    return True


def done_or_not(r: Reading, draft: Draft) -> bool:
    """Read "it has been vaccinated or it hasn't": whether it has is kept."""
    entity = _entity(r, draft)
    at = next((i for i, t in enumerate(r.words) if t.low == "or"), None)
    if entity is None or at is None or not r.frame.group.passive or r.frame.negated:
        return False
    behind = [t.low for t in r.words[at + 1 :] if t.low not in {"it", "they", "he", "she"}]
    if behind not in (["not"], ["hasn't"], ["has", "not"], ["haven't"], ["is-not"], ["have", "not"]):
        return False
    done = morphology.participle(r.frame.verb)
    field = entity.add(DraftField(morphology.name(done), FieldType.BOOLEAN))
    return draft.mark(("field", entity.name, field.name))


def path(r: Reading, draft: Draft) -> bool:
    """Read "an order goes from draft to placed to shipped", "tickets move from open through in progress to closed"."""
    living = r.frame.verb in {"start", "begin"} and bool({"then", "become", "becomes", "finally"} & set(r.lows))
    told = (r.frame.verb in _GOING or living) and r.frame.rest
    listed_in_order = (
        (bool({"then", "finally", "afterwards"} & set(r.lows)) or ("first" in r.lows and "later" in r.lows))
        and (r.frame.modal is None or (r.frame.modal in {"can", "may"} and _begun(r, draft)))
        and not r.frame.negated
        and any(t.low in lexicon.BE for t in r.words)
    )
    if not (told or listed_in_order):
        return False
    entity = _entity(r, draft)
    if entity is None:
        return False
    if told and _in_listed_order(r, draft, entity):
        return True
    further = _further_paths(r.frame.rest) if told and not r.frame.negated else []
    chain = _stated_chain(r, entity, told=bool(told), cut=sum(map(len, further)))
    if len(chain) < 2:
        return False
    machine = machine_of(draft, entity, [s for step in chain for s in step], ordered=True)
    machine.open_ended = False
    if r.frame.negated:
        _forbid(machine, chain[0], chain[-1])
        return True
    if chain[0][0] not in {t.target for t in machine.transitions.values()} and not machine.transitions:
        machine.initial = spelled(machine, chain[0][0])
    _walk(draft, entity, machine, chain)
    for tokens in further:
        steps = _chain(tokens)
        machine_of(draft, entity, [s for step in steps for s in step], ordered=True)
        _walk(draft, entity, machine, steps)
    return True


def _begun(r: Reading, draft: Draft) -> bool:
    """Whether it is known how a thing begins, so that "it can be put in progress, then resolved" goes on from there."""
    entity = _entity(r, draft)
    return entity is not None and entity.machine is not None and entity.machine.initial is not None


def _in_listed_order(r: Reading, draft: Draft, entity: DraftEntity) -> bool:
    """Read "a batch moves through the stages in this order": the values that are listed already are the path."""
    if "order" not in [t.low for t in r.frame.rest[-3:]] or r.frame.negated:
        return False
    held = entity.machine.states if entity.machine is not None else ()
    listed = held or next((f.values for n, f in entity.fields.items() if n in _STATE_FIELDS and f.values), ())
    if len(listed) < _FEWEST:
        return False
    machine = machine_of(draft, entity, listed, ordered=True)
    machine.open_ended = False
    machine.initial = listed[0]
    _walk(draft, entity, machine, [[state] for state in listed])
    return True


_FEWEST: Final = 2


_PUT: Final = lexicon.words("initially is a put set")


def _without_first(tokens: Sequence[Token]) -> list[Token]:
    """Leave out "at" in "planned at first", whose other half only says that more follows."""
    return [
        t
        for t, behind in itertools.zip_longest(tokens, tokens[1:])
        if not (t.low == "at" and behind is not None and behind.low == "first")
    ]


def _stated_chain(r: Reading, entity: DraftEntity, *, told: bool, cut: int) -> list[list[str]]:
    """Give the steps of a path, from the state that the thing has begun in when the path goes on from there."""
    rest = r.frame.rest[: len(r.frame.rest) - cut]
    chain = _chain(rest if told else [t for t in _without_first(_complement(r)) if t.low not in _PUT])
    begun = entity.machine.initial if entity.machine is not None else None
    if not told and begun is not None and begun not in {s for step in chain for s in step}:
        return [[begun], *chain]
    return chain


def _walk(draft: Draft, entity: DraftEntity, machine: DraftMachine, chain: Sequence[Sequence[str]]) -> None:
    """Add the moves from each step of a path to the next."""
    for before, after in itertools.pairwise(chain):
        for state in after:
            add_move(draft, entity, spelled(machine, state) or state, [spelled(machine, s) or s for s in before])


def _further_paths(tokens: Sequence[Token]) -> list[Sequence[Token]]:
    """Cut "…, or from in transit to returned" off a path: further paths that begin elsewhere."""
    starts = [i for i in range(2, len(tokens)) if tokens[i].low == "from" and tokens[i - 1].low in {"or", "and", ","}]
    return [tokens[a:b] for a, b in itertools.pairwise([*starts, len(tokens)])]


def _forbid(machine: DraftMachine, sources: Sequence[str], targets: Sequence[str]) -> None:
    for name, move in list(machine.transitions.items()):
        if morphology.name(move.target) in map(morphology.name, targets):
            left = tuple(s for s in move.sources if morphology.name(s) not in set(map(morphology.name, sources)))
            if left:
                machine.transitions[name] = move.model_copy(update={"sources": left})
            else:
                del machine.transitions[name]


def _entity(r: Reading, draft: Draft) -> DraftEntity | None:
    if r.subject is not None:
        return r.subject
    if (
        r.frame.subject
        and r.frame.subject[-1].low in {*_STATE_FIELDS, "lifecycle", "it"}
        and draft.topic in draft.entities
    ):
        return draft.entities[draft.topic]
    return None


_CHAIN_WORDS: Final = lexicon.words(
    "become becomes as forward only always from to through via then , -> → and finally into > - \u2013 directly "
    "straight back or eventually next later get gets first afterwards"
)


def _chain(tokens: Sequence[Token]) -> list[list[str]]:
    """Cut "from draft to placed, then to shipped or cancelled" into its steps."""
    steps: list[list[Token]] = [[]]
    ends = {i + j for i in range(len(tokens) - 1) for j in (0, 1) if _ends_up(tokens, i)}
    for i, token in enumerate(tokens):
        if i in ends:
            if steps[-1]:
                steps.append([])
        elif token.low not in _CHAIN_WORDS or (token.low == "or" and steps[-1]):
            steps[-1].append(token)
        elif steps[-1]:
            steps.append([])
    found = [_alternatives(step) for i, step in enumerate(steps) if not (i and _receives(steps[i - 1], step))]
    return [states for states in found if states and len(states[0].split()) <= 3]


def _ends_up(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at].verb in {"end", "finish"} and tokens[at + 1].low == "up"


def _receives(before: Sequence[Token], step: Sequence[Token]) -> bool:
    """Whether a step is who something is given to ("assigned to an agent") rather than a state."""
    given = len(before) == 1 and morphology.is_participle(before[0].low)
    return given and bool(step) and step[0].low in {"a", "an", "the", "one"}


def _alternatives(step: Sequence[Token]) -> list[str]:
    """Read "shipped or cancelled"."""
    parts: list[list[str]] = [[]]
    for token in step:
        if token.low == "or":
            parts.append([])
        elif token.is_word and token.low not in lexicon.DETERMINERS | {"state", "status", "being"}:
            parts[-1].append(token.singular if token.verb is not None else token.low)  # "vacancies are drafts first"
    return [" ".join(part) for part in parts if part]


def listed(r: Reading, draft: Draft) -> bool:
    """Read "a ticket can be open, in progress or closed", "its status is one of draft, sent and paid"."""
    entity = _entity(r, draft)
    if entity is None or r.frame.negated or (r.frame.verb not in {"be", "have"} and not r.frame.group.passive):
        return False
    tokens = _complement(r)
    tokens = tokens[tokens[:1] != [] and tokens[0].low in {"a", "an"} :]  # "is a draft, open or closed"
    named = conditions.find_field(r.frame.subject, entity)
    if named is not None and named[0].name not in _STATE_FIELDS:
        return False
    probe = DraftField("probe")
    end = fields.attributes([*_be(r), *tokens], 0, probe)
    if _names_states(r):
        named_states = [" ".join(words) for words in _cut([t.low for t in tokens], {",", "and", "or"}) if words]
        short = all(len(state.split()) <= _LONGEST_STATE for state in named_states)
        probe.values, end = (tuple(named_states), len(tokens)) if short else ((), 0)
    if len(probe.values) < 2 or end < len(tokens):
        return False
    if r.frame.group.passive and not _names_states(r) and _sources(r, entity, draft):
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
    machine = machine_of(draft, entity, probe.values, ordered=False)
    if probe.default is not None:
        machine.initial = spelled(machine, str(probe.default)) or machine.initial
    return True


def _names_states(r: Reading) -> bool:
    """Whether a clause says what states there are: "the states of a claim are submitted, approved and paid"."""
    heads = [t.singular for t in r.frame.subject[:3] if t.low not in lexicon.DETERMINERS | {"possible"}]
    return heads[:1] in (["state"], ["status"], ["stage"], ["phase"]) and "be" in {t.verb for t in _be(r)}


def _be(r: Reading) -> list[Token]:
    return [token for token in r.words if token.low in lexicon.BE][:1]


def _complement(r: Reading) -> list[Token]:
    """What stands behind "be", with a participle that was taken for a passive put back in front."""
    start = next((i for i, t in enumerate(r.words) if t.low in lexicon.BE), None)
    if start is None:
        return list(r.frame.rest)
    return list(r.words[start + 1 :])


def initial(r: Reading, draft: Draft) -> bool:
    """Read "an order starts as draft", "a new ticket is open", "tasks are initially pending"."""
    entity = _entity(r, draft)
    if entity is None or r.frame.negated:
        return False
    lows = r.lows
    begins = (
        (r.frame.verb in {"start", "begin"} and (not r.frame.group.passive or "as" in lows))
        or "initially" in lows
        or ("first" in lows and "at" in lows and r.frame.verb == "be")
        or (r.frame.group.passive and r.frame.verb in {"create", "add", "place", "open"} and "as" in lows)
        or ("new" in [t.low for t in r.frame.subject] and r.frame.verb in {"be", "start", "have", "get"})
    )
    if not begins:
        return False
    words = [
        t
        for t in r.frame.rest
        if t.is_word
        and t.low
        not in lexicon.DETERMINERS
        | lexicon.PREPOSITIONS
        | lexicon.ADVERBS
        | {"state", "status", "out", "off", "initially"}
        | set(_STATE_FIELDS)
    ] or list(r.words[-1:])
    state = _state_phrase(r.frame.rest) or " ".join(t.low for t in words[:2])
    if not state or any(quantities.is_number(t) for t in r.frame.rest):
        return False
    machine = machine_of(draft, entity, [state], ordered=False)
    machine.initial = spelled(machine, state)
    if machine.states[0] != machine.initial and machine.initial is not None:
        machine.states.remove(machine.initial)
        machine.states.insert(0, machine.initial)
    return True


_STATE_PHRASE_WORDS: Final = lexicon.words("as out off with initially state status the being first by default")


def _state_phrase(tokens: Sequence[Token]) -> str | None:
    words = [t.low for t in tokens if t.is_word and t.low not in lexicon.DETERMINERS | _STATE_PHRASE_WORDS | {"at"}]
    return " ".join(words) if 0 < len(words) <= 3 else None


def moves(r: Reading, draft: Draft) -> bool:
    """Read "only placed orders can be cancelled", "a paid invoice can be refunded"."""
    timed = any(quantities.duration(r.frame.rest, i) is not None for i in range(len(r.frame.rest)))
    if timed or _of_deed(r) or _guards(r):
        return False
    if (r.frame.rest and r.frame.rest[0].low == "no") or "how" in r.lows or _counts(r.lows):
        return False
    told = r.frame.modal is None and r.frame.subject and not r.frame.group.passive
    if told and (r.frame.subject[0].low in {"we", "i", "our"} or "with" in [t.low for t in r.frame.rest]):
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
    verbs = [verb for verb in r.frame.group.verbs if verb not in _PLAIN and verb not in lexicon.OPERATION_VERBS]
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
    untold = r.frame.modal is None and not r.frame.conditions and not _sources(r, entity, draft)
    if not verbs or untold or _links(verbs, entity, draft) or (r.frame.negated and _checked(r, entity, draft)):
        return False
    if set(verbs) <= _MARKING and not r.frame.negated and r.frame.rest and r.frame.rest[0].low in {"as", "off"}:
        return _marked(draft, entity, r.frame.rest[1:])
    moved = [_move(r, draft, entity, verb) for verb in verbs]
    _move_ones(r, draft, entity)
    return _guarded(r, draft, moved=any(moved))


def _move_ones(r: Reading, draft: Draft, entity: DraftEntity) -> None:
    """Read what the same sentence says of others: "active subscriptions can be paused and paused ones resumed"."""
    for before, ones, deed in zip(r.frame.rest, r.frame.rest[1:], r.frame.rest[2:], strict=False):
        source = spelled(entity.machine, before.low) if entity.machine is not None else None
        if ones.low != "ones" or source is None or not morphology.is_participle(deed.low) or deed.verb is None:
            continue
        undone = spelled(entity.machine, _UNDOING.get(deed.verb, "")) if entity.machine is not None else None
        add_move(draft, entity, undone or deed.low, [source], name=_name(deed.verb))


def _guarded(r: Reading, draft: Draft, *, moved: bool) -> bool:
    """Hold what the same sentence demands of a move: "can only be opened if it has at least one question"."""
    if moved:
        parts.guard_by_parts(r, draft)
    return moved


def _of_deed(r: Reading) -> bool:
    """Whether a deed is spoken of, and no thing: "deleting a company is refused"."""
    return bool(r.frame.subject) and r.frame.subject[0].verb is not None and r.frame.subject[0].low.endswith("ing")


def _guards(r: Reading) -> bool:
    """Whether a clause guards, and moves nothing: "responses can only be given to open surveys"."""
    passive = r.frame.only and r.frame.group.passive and bool(r.subjects) and not r.subjects[0].adjectives
    return passive and any(m.adjectives for m in r.objects if m.entity is not r.subject)


_MARKING: Final = frozenset({"mark", "flag", "tick", "set"})


def _checked(r: Reading, entity: DraftEntity, draft: Draft) -> bool:
    """Whether a move is refused for what a field says, not for the state: "cannot be paid while it has no reward"."""
    if _sources(r, entity, draft):
        return False
    found = [conditions.predicate(tokens, entity, draft) for _, tokens in r.frame.conditions]
    held = entity.machine.field if entity.machine is not None else ""
    return any(condition.field != held for part in found if part for condition in part)


_OFTEN: Final = frozenset({"per", "a", "each", "every", "for", "on"})


def _counts(lows: Sequence[str]) -> bool:
    """Whether "once" says how often: "given once per date", and not since when: "once it is shipped"."""
    at = lows.index("once") if "once" in lows else None
    return at is not None and (at + 1 == len(lows) or lows[at + 1] in _OFTEN)


def _links(verbs: Sequence[str], entity: DraftEntity, draft: Draft) -> bool:
    return any(
        closing.makes(verb, other) and other.reference_to(entity.name)
        for verb in verbs
        for other in draft.entities.values()
    )


def _move(r: Reading, draft: Draft, entity: DraftEntity, verb: str) -> bool:
    sources = _sources(r, entity, draft)
    undone = _UNDOING.get(verb)
    target = undone or morphology.participle(verb).replace("_", " ")
    if entity.machine is not None and undone:
        target = next(
            (s for s in entity.machine.states if morphology.name(s) in {undone, *_INITIAL[:3]}),
            entity.machine.initial or target,
        )
    if r.frame.negated and r.frame.conditions and r.frame.conditions[0][0] in _EXCEPTING:
        allowed = sources
    elif r.frame.negated:
        return _refuse(draft, entity, verb, target, sources)
    else:
        allowed = sources
    named = next((s for s in entity.machine.states if action_of(s) == verb), None) if entity.machine else None
    target = named or target
    machine = machine_of(draft, entity, _with_initial(entity, target), ordered=False)
    state = spelled(machine, target) or target
    if allowed:
        machine_of(draft, entity, allowed, ordered=False)
        known = machine.transitions.get(_name(verb))
        if known is not None:
            machine.transitions[known.name] = known.model_copy(
                update={"sources": tuple(spelled(machine, s) or s for s in allowed)}
            )
            return draft.mark(("transition", entity.name, known.name))
        add_move(draft, entity, state, [spelled(machine, s) or s for s in allowed], name=_name(verb))
        return draft.mark(("transition", entity.name, _name(verb)))
    if _name(verb) not in machine.transitions:
        add_move(
            draft,
            entity,
            state,
            _from_here(r, machine, state),
            name=_name(verb),
        )
        machine.open_ended = machine.open_ended and True
    return draft.mark(("transition", entity.name, _name(verb)))


def _from_here(r: Reading, machine: DraftMachine, state: str) -> list[str]:
    """Give where a move starts that says nothing of it: not at an end; "approved or rejected" at the beginning."""
    if "or" in r.lows and machine.initial not in {None, state}:
        return [s for s in machine.states if s == machine.initial]
    return [s for s in machine.states if s != state and (machine.initial == s or not _ends(s))]


def _name(verb: str) -> str:
    return morphology.name(verb)


_ENDS_WORDS: Final = lexicon.words(
    "cancelled canceled closed completed done rejected archived returned refunded delivered expired finished "
    "resolved withdrawn declined"
)


def _ends(state: str) -> bool:
    return morphology.name(state) in _ENDS_WORDS


def _with_initial(entity: DraftEntity, target: str) -> list[str]:
    if entity.machine is None and not any(n in entity.fields and entity.fields[n].values for n in _STATE_FIELDS):
        first = {
            "published": "draft",
            "paid": "unpaid",
            "approved": "pending",
            "rejected": "pending",
            "accepted": "pending",
            "cancelled": "active",
            "archived": "active",
            "deactivated": "active",
            "activated": "inactive",
            "suspended": "active",
            "shipped": "pending",
            "verified": "unverified",
            "confirmed": "pending",
            "blocked": "active",
            "retired": "active",
            "started": "planned",
            "read": "unread",
        }.get(target, "open")
        return [first, target]
    return [target]


_SOURCES_WORDS: Final = lexicon.words("if when while unless until till once before after")


def _sources(r: Reading, entity: DraftEntity, draft: Draft) -> list[str]:
    """Give the states that the clause names as those to move from."""
    words = [t.low for t in r.subjects[0].adjectives] if r.subjects else []
    before = [t.low for t in r.frame.subject[: r.subjects[0].start]] if r.subjects else []
    words = before if {"and", "or"} & set(before) else words
    named = _named(words, entity, loose=True) if words else []
    relative = next((i for i, t in enumerate(r.frame.subject) if i and t.low in _RELATING), None)
    if not named and relative is not None:
        named = _named([t.low for t in r.frame.subject[relative:]], entity, loose=False)
    return named or _conditional(r, entity, draft) or _adverbial(r, entity)


_RELATING: Final = frozenset({"that", "which", "who", "in", "with", "under"})


_EXCEPTING: Final = lexicon.words("unless until till before")
"""Behind "can" these name the states that a move is not made from, behind "cannot" those that it is made from."""


def _conditional(r: Reading, entity: DraftEntity, draft: Draft) -> list[str]:
    """Read the states in "if it is still open", "before it is shipped", "until it is done", "unless closed"."""
    for word, tokens in r.frame.conditions:
        mentioned = draft.mentions(tokens)
        if word not in _SOURCES_WORDS or (mentioned and mentioned[0].entity is not entity):
            continue
        lows = [t.low for t in tokens]
        if word in _EXCEPTING:
            named = _named(lows, entity, loose=r.frame.negated)
            return named if r.frame.negated else _states_before(named, entity, timely=word != "unless")
        if word in {"if", "while", "when"} and {"not", "is-not"} & set(lows):
            return _states_before(_named(lows, entity, loose=False), entity)
        return _named(lows, entity, loose=True)
    return []


def _states_before(ended: Sequence[str], entity: DraftEntity, *, timely: bool = False) -> list[str]:
    """Give the states that lie before the first of those that are named; all others when they have no order.

    `timely`: the word itself speaks of an order ("until", "before"), so that they lie as they are listed.
    """
    states = _known(entity)
    places = [states.index(s) for s in ended if s in states]
    left = [s for s in states if s not in ended and not _ends(s)]
    ordered = timely or (entity.machine is not None and not entity.machine.open_ended)
    if not places or not ordered:
        return left
    return [s for s in left if states.index(s) < min(places)] or left


def _adverbial(r: Reading, entity: DraftEntity) -> list[str]:
    """Read the states in "from draft" and "in state open"."""
    at = next((i for i, t in enumerate(r.frame.rest) if t.low in {"from", "in", "before"}), None)
    return _named([t.low for t in r.frame.rest[at + 1 :]], entity, loose=False) if at is not None else []


def _known(entity: DraftEntity) -> list[str]:
    if entity.machine is not None:
        return list(entity.machine.states)
    return [v for n in _STATE_FIELDS if n in entity.fields for v in entity.fields[n].values]


def _named(words: Sequence[str], entity: DraftEntity, *, loose: bool) -> list[str]:
    text = f" {' '.join(words)} "
    found = [
        state
        for state in _known(entity)
        if f" {state.lower()} " in text or f" {morphology.name(state).replace('_', '-')} " in text
    ]
    if found or not loose:
        return found
    content = [
        w
        for w in words
        if (morphology.is_participle(w) or w in _INITIAL or w in {"active", "unpaid", "unread", "inactive"})
        and w not in lexicon.BE | lexicon.HAVE
    ]
    return content[:3]


def _refuse(draft: Draft, entity: DraftEntity, verb: str, target: str, sources: Sequence[str]) -> bool:
    """Read "closed tickets cannot be reopened": the move exists, but not from there."""
    machine = entity.machine
    if machine is None and not any(entity.fields[n].values for n in _STATE_FIELDS if n in entity.fields):
        if not sources:
            return False
        machine = machine_of(draft, entity, [*sources, target], ordered=False)
    machine = machine_of(draft, entity, list(sources), ordered=False)
    name = _name(verb)
    state = spelled(machine, target)
    if verb in _UNDOING:
        if name in machine.transitions:
            _forbid(machine, sources, [machine.transitions[name].target])
        machine.forbidden.update((s, machine.initial or "") for s in sources)
        return draft.mark(("machine", entity.name))
    if state is None:
        machine_of(draft, entity, [target], ordered=False)
        state = spelled(machine, target) or target
    allowed = [s for s in machine.states if s != state and s not in sources and not _ends(s)]
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
    if r.frame.group.passive or r.frame.negated or not r.objects or r.objects[0].entity is r.subject or r.frame.only:
        return False
    if r.frame.rest[0].low in lexicon.PREPOSITIONS:
        return False  # "candidates stand for an election": nothing is done to the election
    moved = [_ordered_move(r, draft, verb) for verb in r.frame.group.verbs]
    return any(moved)


_ORDERED_MOVE_WORDS: Final = lexicon.words(
    "search find filter calculate compute count convert export import report pay send print borrow manage track "
    "place write leave give take support provide assign own run want contain hold receive offer belong refer "
    "follow like buy"
)


def _ordered_move(r: Reading, draft: Draft, verb: str) -> bool:
    entity = r.objects[0].entity
    if verb in _MARKING:
        at = next((i for i, t in enumerate(r.frame.rest) if t.low in {"as", "to"} and i >= r.objects[0].end), None)
        return _marked(draft, entity, r.frame.rest[(at + 1 if at is not None else r.objects[0].end) :])
    if (
        verb in _PLAIN
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
    if verb in {"complete", "finish"} and entity.machine and (done := spelled(entity.machine, "done")):
        target = done
    value = next(
        (v for n in _STATE_FIELDS if n in entity.fields for v in entity.fields[n].values if action_of(v) == verb), None
    )
    machine = machine_of(draft, entity, _with_initial(entity, value or target), ordered=False)
    state = spelled(machine, value or target) or target
    sources = [
        s for t in r.objects[0].adjectives for s in machine.states if morphology.name(s) == morphology.name(t.low)
    ]
    if verb in _UNDOING:
        state = machine.initial or state
    add_move(
        draft,
        entity,
        state,
        sources
        or [s for s in machine.states if s != state and not _ends(s)]
        or [s for s in machine.states if s != state],
        name=_name(verb),
    )
    return draft.mark(("transition", entity.name, _name(verb)))


def _marked(draft: Draft, entity: DraftEntity, tokens: Sequence[Token]) -> bool:
    """Read what stands behind "as" in "mark a task as done" and "books can be marked as read"."""
    words = [t.low for t in tokens if t.is_word and t.low not in lexicon.DETERMINERS]
    if not words:
        return False
    state = " ".join(words[:2])
    truth = conditions.truth(morphology.name(state), entity)
    if truth is not None:
        return draft.mark(("field", entity.name, truth[0].field))
    machine = machine_of(draft, entity, _with_initial(entity, state), ordered=False)
    own = spelled(machine, state) or state
    add_move(draft, entity, own, [s for s in machine.states if s != own and not _ends(s)])
    return True


def complete(draft: Draft) -> None:
    """Give machines whose moves were not stated the moves forward, but for those that the request forbids."""
    for entity in draft.entities.values():
        machine = entity.machine
        if machine is None or not machine.open_ended:
            continue
        for i, state in enumerate(machine.states):
            if action_of(state) in machine.transitions or any(t.target == state for t in machine.transitions.values()):
                continue
            if state == machine.initial:
                continue
            sources = [
                s
                for s in machine.states
                if s != state
                and (machine.states.index(s) < i)
                and (s, state) not in machine.forbidden
                and (not _ends(s))
            ]
            if sources:
                draft_move(machine, state, sources)


def draft_move(machine: DraftMachine, target: str, sources: Sequence[str]) -> None:
    """Add a move that follows from the order of the states."""
    name = action_of(target)
    if name not in machine.transitions and name not in {"create", "update", "delete"}:
        machine.transitions[name] = Transition(name=name, sources=tuple(sources), target=target)


READERS: Final[tuple[Callable[[Reading, Draft], bool], ...]] = (
    arrows,
    ending,
    until_done,
    done_or_not,
    path,
    listed,
    initial,
    moves,
)
