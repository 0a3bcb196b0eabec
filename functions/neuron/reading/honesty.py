"""Doubts a reading: what a clause says and nothing that implements it stands for.

The readers look for what they know; a clause that they took a part of is not done for that. Here every clause that
counts as done is held against the parts of the specification that it is mapped to: its numbers, its prohibitions and
conditions, and its words must be found in them. What is not found makes the clause not done, with the words that
nothing stands for. Promises: only takes away, never adds. Does not understand: a word that is found may still have been
misread.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from functions.neuron.reading import lexicon, morphology, tokens
from functions.neuron.reading.fields import defaults
from functions.neuron.reading.tokens import Kind, Token
from shared.software import specification as spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_UNSAID: Final = frozenset({"message", "description", "summary", "examples", "title", "request", "pattern"})
"""What repeats the request's words or explains, and so proves nothing."""

_PROHIBITION: Final = lexicon.words(
    "not never cannot can't forbidden prohibited disallowed mustn't shouldn't can't doesn't don't isn't aren't "
    "unless refused rejected must-not do-not is-not"
)
_CONDITION: Final = lexicon.words("unless while provided if")
_HOLLOW: Final = lexicon.words(
    "a an the this that these those it its they them their there he she his her we our us you your i my of in on "
    "at to for from by with as and or but nor so then than too also both either each every all any some such same "
    "own other another more most less least many much few several number amount count total quantity only just "
    "even still already again once twice time times is are was were be been being am do does did done have has "
    "had having can could may might must shall should will would let want need needs like please make made build "
    "create provide write develop implement keep keeps kept track store stores stored save saved record records "
    "recorded manage manages hold holds held contain contains consist consists include includes including give "
    "gives given get gets take takes use uses used using show shows shown list lists listed see seen return "
    "returns returned add adds added remove removes removed delete deletes deleted change changes changed update "
    "updates updated edit set sets not never no none cannot without unless if when while until after before "
    "during between within up down out over under about into onto per via one two first last new current "
    "currently exact exactly valid correct right able possible allowed allow allows enter entered called named "
    "known which who whom whose what where how why api service application app tool program command line library "
    "package system software database web rest http json python user users people person thing things item items "
    "value values field fields name names text string type kind way case order date day days week weeks month "
    "months year years hour hours minute minutes second seconds today now default optional required unique "
    "mandatory positive negative non-negative non-empty empty zero least most maximum minimum max min long length "
    "short letters characters character digit digits digit's e.g i.e etc be't forbidden refused reject rejected "
    "accept accepted belong belongs belonging related relate depend depends simple small different later earlier "
    "early late following several function functions class method compute computes calculate calculates check "
    "checks say says said come comes whether convert converts find finds search searched sort sorted filter filtered "
    "greater below above "
    "report reports reported calculate calculated km kg cm mm ml m2 sqm euros dollars percent me "
    "divided multiplied squared terminal cli module print prints printed tell tells turn turns n algorithm "
    "assigned must-not do-not is-not has-not anywhere somewhere perhaps maybe possibly nobody"
)
_STATUSES: Final = frozenset({"400", "404", "409", "422"})
"""What a service answers when it refuses."""

_MOST_UNFOUND: Final = 0.5
_SMALLEST_TOLD: Final = 2
_LEAST_STEM: Final = 4


def doubt(clause: spec.Clause, specification: spec.Specification) -> str:
    """Give the reason why a clause that counts as done is not; empty when nothing speaks against it."""
    if clause.implements == ("/kind",):
        return ""
    parts = [part for pointer in clause.implements for part in _parts(pointer, specification)]
    said = tokens.tokenise(clause.text)
    if any(isinstance(part, spec.Structure) for part in parts):
        return ""  # the catalogue's vocabulary was held against it already
    numbers = _numbers_unfound(said, parts)
    if any(_restricts(part) for part in parts):
        numbers = [number for number in numbers if number not in _STATUSES]
    if numbers:
        return f"Nothing that was built stands for {_quoted(numbers)}."
    if reason := _unkept(_as_if(_without_absence(said)), parts, specification):
        return reason
    if unheld := _untold(said, parts, specification) or _values_untold(said, parts, specification):
        return f"Nothing that was built tells which are {_quoted(unheld)}."
    if all(isinstance(part, spec.Computation) for part in parts):
        return ""  # an algorithm has another name than what it is asked for by
    unfound = _words_unfound(said, parts, specification)
    if unfound:
        return f"Only a part of it was understood: nothing that was built stands for {_quoted(unfound)}."
    return ""


def _without_absence(said: Sequence[Token]) -> list[Token]:
    """Leave out "unless stated otherwise", which forbids nothing, and is no condition either."""
    for i in range(len(said)):
        end = defaults.absent(said, i) if said[i].low in {"if", "unless", "when"} else None
        if end is not None:
            return [*said[:i], *_without_absence(said[end:])]
    return list(said)


def _unkept(said: Sequence[Token], parts: Sequence[Any], specification: spec.Specification) -> str:
    """Give what a clause demands that no part of the right kind keeps; empty when nothing is missing."""
    filled = bool(_FILLING & {token.low for token in said})
    kept_out = _withheld(said, parts, specification)
    if _forbids(said) and not kept_out and not any(_restricts(part, filled=filled) for part in parts):
        return "It forbids something, and nothing that was built refuses it."
    if _of_own(said) and not any(isinstance(part, spec.RangeRule | spec.TransitionRule) for part in parts):
        return "It says something of what is one's own, and nothing that was built tells whose it is."
    if _of_present(said) and not any(_looks_at_clock(part) for part in parts) and not _by_state(said, parts):
        return "It says something of the present, and nothing that was built looks at the clock."
    if _for_each(said) and all(isinstance(part, spec.Endpoint | spec.Command | dict) for part in parts):
        return "It asks for something for each, and nothing that was built tells that."
    if _singular(said) and not any(_keeps_apart(part) for part in parts):
        return "It says what may be there only so often, and nothing that was built counts that."
    if _compares(said) and not any(_restricts(part, filled=False) or isinstance(part, _FIGURES) for part in parts):
        return "It compares two things, and nothing that was built does that."
    counting = [part for part in parts if isinstance(part, spec.QuotaRule)]
    if counting and _at_once(said) and all(not part.when and part.period is None for part in counting):
        return "It is about the same time, and nothing that was built tells what is over."
    if _changes(said) and not any(isinstance(part, _CHANGING) for part in parts):
        return "It changes a number, and nothing that was built does that."
    kept = any(_keeps_apart(part) or _computes(part) for part in parts) or _by_state(said, parts)
    kept = kept or _begun_or_moved(said, parts)
    ended = any(isinstance(part, spec.Transition) for part in parts) and any(t.low in _TIMELY for t in said)
    moved = all(isinstance(part, spec.Transition | spec.StateMachine | spec.FieldSpec | dict) for part in parts)
    timed = moved and any(isinstance(part, spec.Transition) for part in parts) and _by_moment(said)
    if (_conditional(said) or ended or timed) and not kept:
        return "It holds under a condition, and nothing that was built checks it."
    return ""


def _as_if(said: Sequence[Token]) -> list[Token]:
    """Write "only … when" as "only … if", which is what it says: "can only be closed when all its tasks are done"."""
    at = next((i for i, token in enumerate(said) if token.low == "only"), len(said))
    return [
        dataclasses.replace(token, text="if") if i > at and token.low == "when" else token
        for i, token in enumerate(said)
    ]


def _values_untold(said: Sequence[Token], parts: Sequence[Any], specification: spec.Specification) -> list[str]:
    """Give the values by which a rule is for some only, where it was built for all: "a member on the basic plan"."""
    if not any(isinstance(part, _LIMITING) for part in parts):
        return []
    chosen = {(v.lower(), f.name.split("_")[-1]) for e in specification.entities for f in e.fields for v in f.values}
    told = _stems(parts) | _of_conditions(parts, specification)
    named = [first for first, second in itertools.pairwise(said) if (first.low, second.singular) in chosen]
    return [token.text for token in named if _stem(token.low) not in told]


_FIGURES: Final = (spec.ComputedRule, spec.Report, spec.Listing)
_COMPARING: Final = lexicon.words("greater less higher lower larger smaller bigger later earlier longer shorter")


def _compares(said: Sequence[Token]) -> bool:
    """Whether a clause compares something with another thing, and with no number: "higher than the bid before"."""
    return any(
        token.low in _COMPARING
        and said[i + 1].low == "than"
        and not any(t.value is not None for t in said[i + 2 : i + 4])
        for i, token in enumerate(said[:-2])
    )


def _begun_or_moved(said: Sequence[Token], parts: Sequence[Any]) -> bool:
    """Whether "when" only tells when a state begins: "valid when bought", "back in progress when reopened"."""
    at = [i for i, token in enumerate(said[:-1]) if token.low == "when"]
    if (
        len(at) != 1
        or any(token.low in _CONDITION for token in said)
        or not morphology.is_participle(said[at[0] + 1].low)
    ):
        return False
    if {part.name for part in parts if isinstance(part, spec.Transition)} & {said[at[0] + 1].verb}:
        return True
    begun = {part.initial for part in parts if isinstance(part, spec.StateMachine)}
    return at[0] + 2 == len(said) and said[at[0] - 1].low in begun


_LIMITING: Final = (
    spec.QuotaRule, spec.CapacityRule, spec.NoOverlapRule, spec.UniqueRule, spec.TransitionRule, spec.AggregateRule,
    spec.ReferencedRule,
)  # fmt: skip


def _untold(said: Sequence[Token], parts: Sequence[Any], specification: spec.Specification) -> list[str]:
    """Give the words by which a rule is said to hold for some things only, and which no part of it looks at.

    "Basic members can have two bookings", "games won by a player": an adjective in front of what is kept, or a
    participle behind it that leads to somebody.
    """
    if any(isinstance(part, spec.Report) for part in parts):
        return _states_untold(said, parts, specification)
    if not any(isinstance(part, _LIMITING) for part in parts):
        return []
    stems = _stems(parts) | _of_conditions(parts, specification)
    names = {word.rpartition("_")[2] for entity in specification.entities for word in (entity.name, entity.plural)}
    found = []
    for before, token, behind in zip([None, *said], said, [*said[1:], None], strict=False):
        named = behind is not None and behind.low in names and before is not None and before.low not in _TO_NOUNS
        done = before is not None and before.low in names and behind is not None and behind.low == "by"
        adjective = token.verb is None or morphology.is_participle(token.low) or token.low == "open"
        tells = named and adjective and token.low.isalpha()
        deed = done and morphology.is_participle(token.low) and not _made(token)
        hollowed = hollow(token) and token.low not in lexicon.GOING_ON
        if (tells or deed) and token.value is None and not hollowed and not _found(token, stems):
            found.append(token.text)
    return found


def _of_conditions(parts: Sequence[Any], specification: spec.Specification) -> set[str]:
    """Give the words that a condition may stand for without naming them: the other states, words for the present."""
    checked = [c for part in parts for c in (*getattr(part, "when", ()), *getattr(part, "requires", ()))]
    words = set(_PRESENT_WORDS) if any(c.other in {"now", "today"} for c in checked) else set()
    words |= _RUNNING_WORDS if checked else set()
    fields = {c.field.rpartition(".")[2] for c in checked}
    states = {v for e in specification.entities for f in e.fields if f.name in fields for v in f.values}
    return words | {_stem(word) for state in states for word in state.lower().split()}


_PRESENT_WORDS: Final = lexicon.words("upcoming future past overdue expired late ended")
_RUNNING_WORDS: Final = lexicon.words("open active outstanding current ongoing running unfinished live pending")


def _states_untold(said: Sequence[Token], parts: Sequence[Any], specification: spec.Specification) -> list[str]:
    """Give the states that a report is said to be of and that it does not look at: "the pages read per author"."""
    told = _stems(parts) | _of_conditions(parts, specification)
    states = {v.lower() for e in specification.entities for f in e.fields for v in f.values}
    done = {b.low for a, b in itertools.pairwise(said) if a.low in {"have", "has"} and not hollow(b)}
    return [
        t.text for t in said if t.low in states | done and morphology.is_participle(t.low) and _stem(t.low) not in told
    ]


_TO_NOUNS: Final = lexicon.words("to can may must")


def _made(token: Token) -> bool:
    """Whether a participle names the deed by which what is counted is made: "books borrowed by a member"."""
    return token.verb in lexicon.LINKING_VERBS or token.low in {"made", "created", "placed", "given", "taken", "held"}


def _stems(parts: Sequence[Any]) -> set[str]:
    texts = [value for part in parts for value in _values(part) if isinstance(value, str)]
    texts += [words for part in parts for kind, words in _MEANT.items() if isinstance(part, kind)]
    texts += ["begin begins" for part in parts for field in _fields(part) if field.name.startswith("start_")]
    texts += [field.description for part in parts for field in _fields(part) if field.description.startswith("In ")]
    return {_stem(word) for text in texts for word in re.split(r"[-_ .]", text.lower()) if word}


def _withheld(said: Sequence[Token], parts: Sequence[Any], specification: spec.Specification) -> bool:
    """Whether "vaccinations cannot be deleted" is kept because the software has no way to delete them."""
    if not any(token.verb in {"delete", "remove"} for token in said) or specification.kind is spec.Kind.LIBRARY:
        return False
    deleted = {part.entity for part in specification.endpoints if part.operation is spec.OperationKind.DELETE}
    commands = specification.command_line.commands if specification.command_line is not None else ()
    deleted |= {part.entity for part in commands if part.operation is spec.OperationKind.DELETE}
    named = [part.name for part in parts if isinstance(part, spec.Entity)]
    return bool(named) and not deleted & set(named)


def _of_own(said: Sequence[Token]) -> bool:
    """Whether a clause forbids something of one's own: "can like a recipe, but not their own"."""
    lows = [token.low for token in said]
    return any(a == "own" and b in {"their", "his", "her", "its"} for b, a in itertools.pairwise(lows)) and _forbids(
        said
    )


def _of_present(said: Sequence[Token]) -> bool:
    lows = [token.low for token in said]
    begun = any(a == "already" and b in _BEGUN for a, b in itertools.pairwise(lows))
    return begun or any(lows[i : i + 3] in (["in", "the", "future"], ["in", "the", "past"]) for i in range(len(lows)))


_BEGUN: Final = lexicon.words("started begun ended finished passed over expired")


def _looks_at_clock(part: Any) -> bool:
    """Whether a part compares something with the present."""
    checked = (*getattr(part, "when", ()), *getattr(part, "requires", ()))
    own = {getattr(part, "value", None), getattr(part, "other", None)} if isinstance(part, spec.RangeRule) else set()
    return bool({"now", "today"} & ({condition.other for condition in checked} | own))


def _for_each(said: Sequence[Token]) -> bool:
    return any(token.low in {"each", "every", "per"} for token in said)


def _computes(part: Any) -> bool:
    """Whether a part is set by the software in other ways than by the moves of a machine."""
    return isinstance(part, spec.FieldSpec) and part.managed and part.type is not spec.FieldType.ENUM


_FILLING: Final = lexicon.words("empty blank missing left omitted null without optional unset given")
"""Words by which a prohibition asks that a value is there."""
_CHANGING: Final = (spec.EffectRule, spec.ComputedRule, spec.AggregateRule, spec.Computation)


def lemmas(words: Sequence[Token]) -> set[str]:
    """Give every form in which words may be looked up: as they stand, in the singular, as a verb's base."""
    return {form for word in words for form in (word.low, word.singular, _stem(word.low))}


def hollow(token: Token) -> bool:
    """Whether a word says too little to ask what stands for it."""
    return bool({token.low, token.singular} & _HOLLOW)


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f"“{word}”" for word in dict.fromkeys(words))


def _parts(pointer: str, specification: spec.Specification) -> Iterator[Any]:
    """Give what a JSON pointer names, and the names of what it stands in."""
    value: Any = specification
    for step in pointer.strip("/").split("/"):
        value = value[int(step)] if step.isdigit() else getattr(value, step, None)
        if value is None:
            return
        if isinstance(value, spec.Entity):
            yield {"name": value.name, "plural": value.plural}
    yield value


def _values(part: Any) -> Iterator[str | int | float]:
    """Give every text and number in a part, but those that prove nothing."""
    if isinstance(part, BaseModel):
        part = {name: getattr(part, name) for name in type(part).model_fields}
    if isinstance(part, dict):
        for name, value in part.items():
            if name not in _UNSAID:
                yield from _values(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _values(value)
    elif isinstance(part, str | int | float) and not isinstance(part, bool):
        yield part


def _numbers_unfound(said: Sequence[Token], parts: Sequence[Any]) -> list[str]:
    """Give the numbers of a clause that stand in none of its parts, in no unit."""
    values = [value for part in parts for value in _values(part)]
    known = {float(value) for value in values if not isinstance(value, str)}
    texts = " ".join(value for value in values if isinstance(value, str))
    patterns = " ".join(field.pattern or "" for part in parts for field in _fields(part))
    return [
        token.text
        for token in said
        if token.value is not None
        and token.kind is not Kind.BULLET
        and token.value >= (_SMALLEST_TOLD if token.kind is not Kind.WORD or not _pairs(parts) else _SMALLEST_TOLD + 1)
        and not _known(float(token.value), known)
        and f"{token.value:g}" not in texts
        and f"{token.value:g}" not in patterns
    ]


def _pairs(parts: Sequence[Any]) -> bool:
    """Whether a part speaks of two without saying so: two bookings of one room, the days between two dates."""
    return any(
        isinstance(part, spec.UniqueRule | spec.NoOverlapRule | spec.Relation | spec.Computation) for part in parts
    )


def _known(value: float, known: set[float]) -> bool:
    forms = {value, -value, value - 1, value + 1, value / 100, 1 + value / 100, 1 - value / 100, value * 7, value * 24}
    forms |= {value * 30, value * 365, value * 60, value / 24, value / 60, value * 1000, value * 1_000_000}
    return any(abs(form - number) < 1e-9 for form in forms for number in known)


def _fields(part: Any) -> list[spec.FieldSpec]:
    if isinstance(part, spec.FieldSpec):
        return [part]
    return list(part.fields) if isinstance(part, spec.Entity) else []


def _forbids(said: Sequence[Token]) -> bool:
    return any(token.low in _PROHIBITION for token in said)


_LIMITS: Final = (
    "at most", "no more than", "not more than", "only once", "at most once", "nobody else", "no one else", "no two",
    "more than once", "only one", "maximum of", "up to", "once per", "once a", "once each", "once for each",
    "once every",
)  # fmt: skip
_UNIQUE: Final = lexicon.words("unique uniquely twice duplicate duplicates")


def _singular(said: Sequence[Token]) -> bool:
    """Whether a clause limits how often something may be there, or how much it may be."""
    lows = [token.low for token in said]
    text = f" {' '.join(lows)} "
    more = next((i for i, low in enumerate(lows) if low in {"more", "fewer"}), len(lows))
    denied = bool({"no", "not", "never", "cannot"} & set(lows[:more])) and "than" in lows[more:]
    return denied or any(f" {words} " in text for words in _LIMITS) or bool(_UNIQUE & set(lows))


def _keeps_apart(part: Any) -> bool:
    """Whether a part limits a number or a value; that a value must be there is no limit."""
    if isinstance(part, spec.FieldSpec):
        limits = (part.minimum, part.maximum, part.max_length, part.pattern)
        return part.unique or part.immutable or any(limit is not None for limit in limits)
    return _restricts(part)


_CHANGES: Final = lexicon.words(
    "increase decrease reduce lower raise increment decrement deduct subtract drop grow rise"
)
_STEPS: Final = frozenset({("go", "up"), ("go", "down"), ("count", "up"), ("count", "down")})


def _changes(said: Sequence[Token]) -> bool:
    """Whether a clause says that a number changes by something: "box goes up by one", "lowers the stock by 2"."""
    at = next((i for i, t in enumerate(said) if t.low == "by" and i + 1 < len(said)), None)
    if at is None:
        return False
    steps = itertools.pairwise((t.verb or t.low) for t in said[:at])
    return any(t.verb in _CHANGES for t in said[:at]) or bool(_STEPS & set(steps))


def _conditional(said: Sequence[Token]) -> bool:
    lows = [token.low for token in said]
    pairs = list(itertools.pairwise(lows))
    deed = any(low == "when" and morphology.is_participle(following) for low, following in pairs)
    late = any(a in {"not", "only"} and b in {"after", "before"} for a, b in pairs)
    return any(low in _CONDITION for low in lows) or ("only", "when") in pairs or deed or late


_TIMELY: Final = frozenset({"until", "till"})
_BESIDE_STATES: Final = lexicon.words("it they is are is-not are-not has have been not still yet already or and .")


def _by_state(said: Sequence[Token], parts: Sequence[Any]) -> bool:
    """Whether the condition is on states alone, and the moves start from them, or from others, as it says."""
    lows = [token.low for token in said]
    at = next((i for i, low in enumerate(lows) if low in {"if", "while", "unless", *_TIMELY}), len(lows))
    if at == len(lows):
        at = next((i for i, low in enumerate(lows) if low in {"before", "after"}), at)
    moves = [part for part in parts if isinstance(part, spec.Transition)]
    if lows[at : at + 1] and lows[at] in _TIMELY and {t.verb for t in said[at:]} & {move.name for move in moves}:
        return True  # "pending until the manager approves": the deed ends the state
    states = {state for part in parts if isinstance(part, spec.StateMachine) for state in part.states}
    behind = f" {' '.join(lows[at + 1 :])} "
    named = {state for state in states if f" {state.lower()} " in behind}
    if not named or set(behind.split()) - _BESIDE_STATES - {word for s in named for word in s.lower().split()}:
        return False
    if lows[at] == "if" and not _denied(lows[:at]) and (parts_told := _joined(lows[at + 1 :], named)) is not None:
        starts = {source for move in moves for source in move.sources}
        return bool(moves) and starts <= parts_told[0] and not starts & parts_told[1]
    denials = (lows[at] in {"unless", "before", *_TIMELY}, _denied(lows[at:]), _denied(lows[:at]))
    if sum(denials) % 2:
        return bool(moves) and not any(named & set(move.sources) for move in moves)
    return bool(moves) and all(set(move.sources) <= named for move in moves)


def _at_once(said: Sequence[Token]) -> bool:
    """Whether a clause says that something is so at one time: "at the same time", "simultaneously"."""
    text = f" {' '.join(token.low for token in said)} "
    return any(f" {words} " in text for words in ("at the same time", "at a time", "simultaneously", "concurrently"))


def _by_moment(said: Sequence[Token]) -> bool:
    """Whether a clause says before or after what something may be done: "can be cancelled before they start"."""
    return any(token.low in {"before", "after"} for token in said[1:])


def _joined(lows: Sequence[str], named: set[str]) -> tuple[set[str], set[str]] | None:
    """Give the states that "it is reported and not cancelled" affirms, and those that it denies.

    None for anything else: several affirmed at once, or none, are no such condition.
    """
    cuts = [i for i, low in enumerate(lows) if low == "and"]
    parts = [lows[a:b] for a, b in zip([0, *(i + 1 for i in cuts)], [*cuts, len(lows)], strict=True)]
    told = [({s for s in named if f" {s.lower()} " in f" {' '.join(part)} "}, _denied(part)) for part in parts]
    affirmed = [states for states, denied in told if not denied]
    if len(parts) == 1 or len(affirmed) != 1 or not all(states for states, _ in told):
        return None
    return affirmed[0], {s for states, denied in told if denied for s in states}


def _denied(lows: Sequence[str]) -> bool:
    return any(low in {"not", "cannot", "never"} or low.endswith("-not") for low in lows)


def _restricts(part: Any, *, filled: bool = True) -> bool:
    """Whether a part refuses something; `filled`: a field that must be there counts."""
    match part:
        case spec.ReferencedRule():
            return not part.cascade
        case spec.UniqueRule() | spec.RangeRule() | spec.OrderedRule() | spec.NoOverlapRule() | spec.TransitionRule():
            return True
        case spec.CapacityRule() | spec.QuotaRule() | spec.AggregateRule() | spec.EffectRule() | spec.View():
            return True
        case spec.Transition():
            return bool(part.when)
        case spec.Computation() | spec.Relation():
            return True
        case spec.FieldSpec():
            return part.unique or part.immutable or _bounded(part) or (filled and part.required)
        case _:
            return False


def _bounded(field: spec.FieldSpec) -> bool:
    limits = (field.minimum, field.maximum, field.min_length, field.max_length, field.pattern)
    return any(limit is not None for limit in limits) or bool(field.values)


def _words_unfound(said: Sequence[Token], parts: Sequence[Any], specification: spec.Specification) -> list[str]:
    """Give the words of a clause that stand in none of its parts, when they are too many for turns of phrase."""
    stems = _stems(parts) | _of_conditions(parts, specification)
    told = [
        token
        for token in said
        if token.kind in {Kind.WORD, Kind.QUOTED} and token.value is None and not {token.low, token.singular} & _HOLLOW
    ]
    unfound = [token.text for token in told if not _found(token, stems)]
    most = 0 if all(isinstance(part, spec.Command) for part in parts) else _MOST_UNFOUND * len(told)
    return unfound if len(unfound) > most else []


_MEANT: Final[dict[type, str]] = {
    spec.NoOverlapRule: "double booked overlap same twice parallel simultaneous current ongoing running",
    spec.RangeRule: "exceed differ different same lie future past",
    spec.OrderedRule: "exceed",
    spec.UniqueRule: "same twice duplicate repeat again together pair combination combined",
    spec.EffectRule: "enough sufficient available isn't aren't goes down up placed place lower reduce back warehouse "
    "money funds cash move top topped up between",
    spec.QuotaRule: "simultaneously handle again lent lend taken rented booked borrowed out",
    spec.CapacityRule: "full sold out left room enough reached further overbooked oversold overfilled overcrowded",
    spec.TransitionRule: "accept possible late deadline lie future past",
    spec.StateMachine: "mark tick set",
    spec.Transition: "mark tick set",
    spec.ComputedRule: "times multiplied product plus minus formula",
}
"""What rules are called in other words than those of their parts."""


def _found(token: Token, stems: set[str]) -> bool:
    words = [word for word in token.low.replace("-", "_").replace(" ", "_").split("_") if word]
    return all(_like(_stem(word), stems) for word in words)


def _like(stem: str, stems: set[str]) -> bool:
    if stem in stems or any(len(other) >= _LEAST_STEM and stem.endswith(other) for other in stems):
        return True
    return len(stem) >= _LEAST_STEM and any(
        other[:_LEAST_STEM] == stem[:_LEAST_STEM] for other in stems if len(other) >= _LEAST_STEM
    )


def _stem(word: str) -> str:
    """Give a word's base: nouns in the singular, verbs in their base form."""
    single = morphology.singular(word)
    return morphology.verb_base(single) or single
