"""Reads paths through states: arrows, "from draft to placed", "then …", "and end up …", "until it is approved"."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology
from functions.neuron.reading.draft import DraftMachine
from functions.neuron.reading.states import machines
from functions.neuron.reading.tokens import Kind, Token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.rules import Reading

_GOING: Final = lexicon.words("go move pass progress change transition proceed advance run turn switch evolve")
PLAIN: Final = lexicon.words(
    "create update delete edit change modify remove add list view see show search find filter sort read get "
    "retrieve make use have be do store save rate set keep allow let need must require include select sell "
    "reference concern involve assign "
    "increase decrease raise reduce lower deduct subtract debit credit increment decrement "
    "total sum average come go occur happen bring put say tell know refuse forbid prohibit permit disallow "
    "identify describe administer manage run operate offer name"
)


def arrows(r: Reading, draft: Draft) -> bool:
    """Read "draft -> published -> archived, archived -> draft" of what was spoken of last."""
    entity = draft.entities.get(draft.topic or "")
    paths = _drawn(r.words)
    if entity is None or not paths or r.frame.group.start != r.frame.group.end:
        return False
    states = list(dict.fromkeys(state for chain in paths for step in chain for state in step))
    machine = machines.machine_of(draft, entity, states, ordered=True)
    machine.open_ended = False
    machine.initial = machines.spelled(machine, paths[0][0][0])
    for chain in paths:
        _walk(draft, entity, machine, chain, name=_named_move(r.words, chain))
    return True


def _named_move(words: Sequence[Token], chain: Sequence[Sequence[str]]) -> str | None:
    """Give the name of the move in "resolved -> in progress when reopened"."""
    lows = [t.low for t in words]
    at = next((i for i in range(len(lows) - 1) if lows[i] == "when" and morphology.is_participle(lows[i + 1])), None)
    last = chain[-1][-1].split()
    led = at is not None and len(chain) == _FEWEST and lows[at - len(last) : at] == last
    return morphology.verb_base(lows[at + 1]) if at is not None and led else None


_ARROWS: Final = frozenset({"->", "\u2192", "=>"})


def _drawn(tokens: Sequence[Token]) -> list[list[list[str]]]:
    """Cut "a -> b / c -> d, d -> a" into its paths; empty when something else stands there too."""
    words = _joined_arrows(tokens)
    paths: list[list[list[str]]] = []
    for whole in cut(words, {",", ";"}):
        named = whole[-2:-1] == ["when"] and morphology.is_participle(whole[-1])
        part = whole[:-2] if named else whole
        steps = [cut(step, {"or", "/", "|"}) for step in cut(part, _ARROWS)]
        chain = [[" ".join(words) for words in step if words] for step in steps]
        if len(chain) < _FEWEST or not all(chain):
            return []
        paths.append(chain)
    return (
        paths
        if all(len(state.split()) <= machines.LONGEST_STATE for c in paths for step in c for state in step)
        else []
    )


def _joined_arrows(tokens: Sequence[Token]) -> list[str]:
    words: list[str] = []
    for token in tokens:
        if token.text == ">" and words and words[-1] in {"-", "="}:
            words[-1] += ">"
        else:
            words.append(token.low)
    return words


def cut(words: Sequence[str], at: frozenset[str] | set[str]) -> list[list[str]]:
    """Cut words at some of them."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word in at:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def ending(r: Reading, draft: Draft) -> bool:
    """Read "and end up resolved or closed": where a path that was told ends."""
    entity = machines.thing_of(r, draft)
    up = r.frame.verb in {"end", "finish"} and r.frame.rest[:1] and r.frame.rest[0].low in {"up", "as"}
    if entity is None or entity.machine is None or not up or r.frame.negated:
        return False
    last = entity.machine.states[-1]
    ends = _alternatives(r.frame.rest[1:])
    if not ends or any(len(state.split()) > machines.LONGEST_STATE for state in ends):
        return False
    machine = machines.machine_of(draft, entity, ends, ordered=True)
    machine.open_ended = False
    _walk(draft, entity, machine, [[last], ends])
    return True


def until_done(r: Reading, draft: Draft) -> bool:
    """Read "requests are pending until the manager approves or rejects them": a state, and the deeds that end it."""
    entity = machines.thing_of(r, draft)
    if entity is None or r.frame.verb != "be" or r.frame.negated or not r.frame.conditions:
        return False
    word, said = r.frame.conditions[0]
    begun = state_phrase(r.frame.rest)
    verbs = [t.verb for t in said if t.verb and t.low not in lexicon.BE | lexicon.HAVE | lexicon.MODALS]
    deeds = [verb for verb in verbs if verb not in PLAIN and verb not in lexicon.NOUN_VERBS]
    named = {t.low for t in said[-1:]} & {"it", "them", "one"} or any(t.low in lexicon.BE for t in said)
    if word not in {"until", "till"} or begun is None or not deeds or not named:
        return False
    begun = (
        morphology.singular(begun) if morphology.singular(begun) in machines.INITIAL else begun
    )  # "are drafts until"
    machine = machines.machine_of(draft, entity, [begun], ordered=True)
    machine.initial = machines.spelled(machine, begun)
    machine.open_ended = False
    for verb in deeds:
        target = morphology.participle(verb).replace("_", " ")
        machines.machine_of(draft, entity, [target], ordered=True)
        machines.add_move(draft, entity, target, [machine.initial or begun], name=machines.move_name(verb))
    return True


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
    entity = machines.thing_of(r, draft)
    if entity is None:
        return False
    if told and _in_listed_order(r, draft, entity):
        return True
    further = _further_paths(r.frame.rest) if told and not r.frame.negated else []
    chain = _stated_chain(r, entity, told=bool(told), cut=sum(map(len, further)))
    if len(chain) < 2:
        return False
    machine = machines.machine_of(draft, entity, [s for step in chain for s in step], ordered=True)
    machine.open_ended = False
    if r.frame.negated:
        forbid(machine, chain[0], chain[-1])
        return True
    if chain[0][0] not in {t.target for t in machine.transitions.values()} and not machine.transitions:
        machine.initial = machines.spelled(machine, chain[0][0])
    _walk(draft, entity, machine, chain)
    for tokens in further:
        steps = _chain(tokens)
        machines.machine_of(draft, entity, [s for step in steps for s in step], ordered=True)
        _walk(draft, entity, machine, steps)
    return True


def _begun(r: Reading, draft: Draft) -> bool:
    """Whether it is known how a thing begins, so that "it can be put in progress, then resolved" goes on from there."""
    entity = machines.thing_of(r, draft)
    known = entity is not None and entity.machine is not None and entity.machine.initial is not None
    return known or _begins_in(r) is not None


def _begins_in(r: Reading) -> str | None:
    """Give the state that stands in front of what a path is of: "a requested ride can be assigned, then started"."""
    before = r.subjects[0].adjectives if r.subjects and not r.frame.only else ()
    return before[0].low if len(before) == 1 and morphology.is_participle(before[0].low) else None


def _in_listed_order(r: Reading, draft: Draft, entity: DraftEntity) -> bool:
    """Read "a batch moves through the stages in this order": the values that are listed already are the path."""
    if "order" not in [t.low for t in r.frame.rest[-3:]] or r.frame.negated:
        return False
    held = entity.machine.states if entity.machine is not None else ()
    listed = held or next((f.values for n, f in entity.fields.items() if n in machines.STATE_FIELDS and f.values), ())
    if len(listed) < _FEWEST:
        return False
    machine = machines.machine_of(draft, entity, listed, ordered=True)
    machine.open_ended = False
    machine.initial = listed[0]
    _walk(draft, entity, machine, [[state] for state in listed])
    return True


_FEWEST: Final = 2


_PUT: Final = lexicon.words("initially is put set")


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
    chain = _chain(rest if told else [t for t in _without_first(complement(r)) if t.low not in _PUT])
    begun = _begins_in(r) or (entity.machine.initial if entity.machine is not None else None)
    if not told and begun is not None and begun not in {s for step in chain for s in step}:
        return [[begun], *chain]
    return chain


def _walk(
    draft: Draft,
    entity: DraftEntity,
    machine: DraftMachine,
    chain: Sequence[Sequence[str]],
    *,
    name: str | None = None,
) -> None:
    """Add the moves from each step of a path to the next. `name`: what the only move is called."""
    for before, after in itertools.pairwise(chain):
        for state in after:
            machines.add_move(
                draft,
                entity,
                machines.spelled(machine, state) or state,
                [machines.spelled(machine, s) or s for s in before],
                name=name,
            )


def _further_paths(tokens: Sequence[Token]) -> list[Sequence[Token]]:
    """Cut "…, or from in transit to returned" off a path: further paths that begin elsewhere."""
    starts = [i for i in range(2, len(tokens)) if tokens[i].low == "from" and tokens[i - 1].low in {"or", "and", ","}]
    return [tokens[a:b] for a, b in itertools.pairwise([*starts, len(tokens)])]


def forbid(machine: DraftMachine, sources: Sequence[str], targets: Sequence[str]) -> None:
    """Take moves from some states into others out of a machine."""
    for name, move in list(machine.transitions.items()):
        if morphology.name(move.target) in map(morphology.name, targets):
            left = tuple(s for s in move.sources if morphology.name(s) not in set(map(morphology.name, sources)))
            if left:
                machine.transitions[name] = move.model_copy(update={"sources": left})
            else:
                del machine.transitions[name]


_OR: Final = Token(Kind.WORD, "or", 0, 0)
_CHAIN_WORDS: Final = lexicon.words(
    "become becomes as forward only always from to through via then , -> → and finally into > - \u2013 directly "
    "straight back or eventually next later get gets first afterwards"
)


def _chain(tokens: Sequence[Token]) -> list[list[str]]:
    """Cut "from draft to placed, then to shipped or cancelled" into its steps."""
    steps: list[list[Token]] = [[]]
    between: list[set[str]] = [set()]
    ends = {i + j for i in range(len(tokens) - 1) for j in (0, 1) if _ends_up(tokens, i)}
    for i, token in enumerate(tokens):
        if i not in ends and (token.low not in _CHAIN_WORDS or (token.low == "or" and steps[-1])):
            steps[-1].append(token)
            continue
        if steps[-1]:
            steps.append([])
            between.append(set())
        between[-1].add(token.low)
    steps = _listed(steps, between)
    found = [_alternatives(step) for i, step in enumerate(steps) if not (i and _receives(steps[i - 1], step))]
    return [states for states in found if states and len(states[0].split()) <= 3]


def _listed(steps: list[list[Token]], between: Sequence[set[str]]) -> list[list[Token]]:
    """Put what is listed behind one "then" into one step: "…, then completed, cancelled or missed"."""
    end = len(steps) - 1
    begin = end
    while begin > 0 and between[begin] <= {",", "or"}:
        begin -= 1
    listed = [step for step in steps[begin:] if step]
    chosen = any(t.low == "or" for step in listed for t in step) or any("or" in words for words in between[begin + 1 :])
    if begin == 0 or len(listed) < 2 or not chosen:
        return steps
    return [*steps[:begin], [t for step in listed for t in (_OR, *step)]]


def _ends_up(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at].verb in {"end", "finish"} and tokens[at + 1].low == "up"


def _receives(before: Sequence[Token], step: Sequence[Token]) -> bool:
    """Whether a step is who something is given to ("assigned to an agent") rather than a state."""
    given = len(before) == 1 and morphology.is_participle(before[0].low)
    return given and bool(step) and step[0].low in {"a", "an", "the", "one"}


def _alternatives(step: Sequence[Token]) -> list[str]:
    """Read "shipped or cancelled"."""
    parts: list[list[str]] = [[]]
    by = next((i for i, t in enumerate(step) if i and t.low == "by"), len(step))  # "refused by the finance team"
    for token in step[:by]:
        if token.low == "or":
            parts.append([])
        elif token.is_word and token.low not in lexicon.DETERMINERS | {"state", "status", "being"}:
            parts[-1].append(token.singular if token.verb is not None else token.low)  # "vacancies are drafts first"
    return [" ".join(part) for part in parts if part]


def complement(r: Reading) -> list[Token]:
    """What stands behind "be", with a participle that was taken for a passive put back in front."""
    start = next((i for i, t in enumerate(r.words) if t.low in lexicon.BE), None)
    if start is None:
        return list(r.frame.rest)
    return list(r.words[start + 1 :])


_STATE_PHRASE_WORDS: Final = lexicon.words("as out off with initially state status the being first by default")


def state_phrase(tokens: Sequence[Token]) -> str | None:
    """Read a few words as the name of a state; None when they are too many."""
    words = [t.low for t in tokens if t.is_word and t.low not in lexicon.DETERMINERS | _STATE_PHRASE_WORDS | {"at"}]
    return " ".join(words) if 0 < len(words) <= 3 else None
