"""The specification while it is being read: mutable entities and fields.

And the record of which clause gave rise to what.

Promises: names are identifiers and unique in their place; adding what is there already merges with it. It may be open
(naming what does not exist yet) until
`assembly` closes it.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.neuron.reading import morphology
from shared.software import specification as spec
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from functions.neuron.reading.clauses import Clause
    from functions.neuron.reading.rules.readings import Reading
    from functions.neuron.reading.tokens import Token

Mark = tuple[str, ...]  # ("field", "book", "isbn"), ("rule", "loan_quota"), …: what a clause became


_LONGEST = 63  # characters of a name


@dataclass(eq=False)
class DraftField:
    """A field while it is being read; the attributes are those of `FieldSpec`, None standing for "not said"."""

    name: str
    type: FieldType | None = None
    required: bool | None = None
    unique: bool = False
    values: tuple[str, ...] = ()
    target: str | None = None
    default: spec.Scalar = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    scale: int | None = None
    managed: bool = False
    immutable: bool = False
    description: str = ""
    unique_per: tuple[str, ...] = ()  # words of what it is unique within
    many: bool = False  # a collection of other things, not a value
    words: tuple[str, ...] = ()  # its name as the request has it
    per: str | None = None
    at: int = 0  # the clause that lists it
    later_by: tuple[int, int] | None = None  # the days and hours between the moment that is listed before, and this one
    presumed: bool = False  # the present when it is left out
    present: str = ""  # how it must compare with the present: "le" for what cannot lie in the future
    signed: bool = False  # may be negative, whatever its name implies
    nonzero: bool = False
    compared: tuple[Token, ...] = ()  # what is said of it and another field: "after the start date"
    formula: tuple[Token, ...] = ()  # what is said of how it comes about
    role_of: tuple[str, ...] = ()  # words of what stands in this role: an owner "who is a member"

    def merge(self, other: DraftField) -> None:
        """Take over everything that the other one says."""
        for key, value in vars(other).items():
            said = value is not None and value is not False and value not in ((), "")  # nought is something to say
            if key not in {"name", "words", "at"} and said:
                setattr(self, key, value)


@dataclass
class DraftMachine:
    """A state machine while it is being read."""

    field: str
    states: list[str]
    initial: str | None = None
    transitions: dict[str, spec.Transition] = dataclasses.field(default_factory=dict)
    open_ended: bool = True  # no path through the states has been stated: moves follow from their order
    forbidden: set[tuple[str, str]] = dataclasses.field(default_factory=set)  # (source, target)
    stated: set[str] = dataclasses.field(default_factory=set)  # moves whose sources the request names

    def add_state(self, state: str) -> None:
        """Add a state if it is new."""
        if state not in self.states:
            self.states.append(state)


@dataclass(eq=False)
class DraftEntity:
    """An entity while it is being read."""

    name: str
    plural: str
    fields: dict[str, DraftField] = dataclasses.field(default_factory=dict)
    derivations: dict[str, spec.Derivation] = dataclasses.field(default_factory=dict)
    machine: DraftMachine | None = None
    description: str = ""
    declared: bool = False  # the request says what it holds, or that it is kept
    link_verb: str | None = None  # the verb that makes one: borrow makes a loan

    def add(self, new: DraftField) -> DraftField:
        """Add a field, or merge it into the one of that name."""
        name = morphology.name(new.name)
        if name in {"id", "created_at", "updated_at"}:
            name = {"id": f"{self.name}_id_code"}.get(name, name)
        known = self.fields.get(name)
        if known is None:
            new.name = name
            self.fields[name] = new
            return new
        known.merge(new)
        return known

    def reference_to(self, target: str) -> DraftField | None:
        """Give the (first) field that refers to the target."""
        return next((f for f in self.fields.values() if f.target == target), None)

    @property
    def words(self) -> tuple[str, ...]:
        """The words of its name."""
        return tuple(self.name.split("_"))


@dataclass
class Mention:
    """Where a clause names an entity: token positions, with the adjectives in front of the name."""

    entity: DraftEntity
    start: int
    end: int
    adjectives: tuple[Token, ...] = ()
    plural: bool = False


@dataclass
class Draft:
    """The whole specification while it is being read."""

    request: str
    kind: spec.Kind = spec.Kind.API
    describes: bool = False  # a library's request that says what things hold, and so wants records kept
    name: str = ""
    title: str = ""
    entities: dict[str, DraftEntity] = dataclasses.field(default_factory=dict)
    relations: dict[str, spec.Relation] = dataclasses.field(default_factory=dict)
    rules: dict[str, spec.Rule] = dataclasses.field(default_factory=dict)
    views: dict[str, spec.View] = dataclasses.field(default_factory=dict)
    reports: dict[str, spec.Report] = dataclasses.field(default_factory=dict)
    listings: dict[str, dict[str, list[str]]] = dataclasses.field(
        default_factory=lambda: defaultdict(lambda: {"filters": [], "search": [], "sort": []})
    )
    computations: dict[str, spec.Computation] = dataclasses.field(default_factory=dict)
    structures: dict[str, spec.Structure] = dataclasses.field(default_factory=dict)
    endpoints: list[spec.Endpoint] = dataclasses.field(default_factory=list)  # those that the request names itself
    operations: dict[str, set[str]] = dataclasses.field(
        default_factory=lambda: defaultdict(set)
    )  # entity -> operations asked for (command line)
    verbs: dict[tuple[str, str], str] = dataclasses.field(
        default_factory=dict
    )  # (entity, operation) -> the word that the request has for it
    deeds: dict[str, str] = dataclasses.field(default_factory=dict)  # entity -> the command that makes one: add-stock
    withheld: set[tuple[str, str]] = dataclasses.field(
        default_factory=set
    )  # (entity, operation) that the request rules out altogether
    reads_file: set[str] = dataclasses.field(default_factory=set)
    demands: list[tuple[Reading, tuple[Token, ...], int]] = dataclasses.field(
        default_factory=list
    )  # what a move demands besides a state, "and not expired", with its clause
    parts: list[tuple[str, str, int, int]] = dataclasses.field(
        default_factory=list
    )  # holder, what it holds, how many at least, clause
    marks: dict[int, list[Mark]] = dataclasses.field(default_factory=lambda: defaultdict(list))
    left: dict[int, list[tuple[int, int, str]]] = dataclasses.field(default_factory=lambda: defaultdict(list))
    reasons: dict[int, str] = dataclasses.field(default_factory=dict)
    clauses: list[Clause] = dataclasses.field(default_factory=list)
    weak: set[str] = dataclasses.field(default_factory=set)  # entities that only the introduction names
    whole: set[str] = dataclasses.field(default_factory=set)  # what the software is about as a whole: "my sourdough"
    settled: set[int] = dataclasses.field(default_factory=set)  # clauses that say nothing more than what has been read
    at: int = 0  # the clause that is being read
    topic: str | None = None  # the entity that the clause before was about
    topics: dict[int, str | None] = dataclasses.field(default_factory=dict)  # what each clause declares, or speaks of

    def mark(self, *marks: Mark) -> bool:
        """Record that the clause at hand became these parts; gives True, so that readers can end with it."""
        known = self.marks[self.at]
        known.extend(mark for mark in marks if mark not in known)
        return True

    def settle(self) -> bool:
        """Record that the clause at hand is read to its end; gives True."""
        self.settled.add(self.at)
        return True

    def leave(self, tokens: Sequence[Token], reason: str) -> None:
        """Record that a part of the clause at hand is not done."""
        if tokens:
            self.left[self.at].append((tokens[0].start, tokens[-1].end, reason))

    def entity(self, words: str, *, declared: bool = False) -> DraftEntity:
        """Give the entity of that name (in the singular), making it if it is new."""
        name = morphology.name(words)
        known = self.entities.get(name) or self._joined(name)
        if known is None:
            plural = morphology.plural(name)
            plural = plural if plural != name else f"{name}_list"
            if len(plural) > _LONGEST:
                plural = f"all_{name}"[:_LONGEST].rstrip("_")
            known = self.entities[name] = DraftEntity(name, plural)
        known.declared = known.declared or declared
        return known

    def known(self, words: Iterable[str]) -> DraftEntity | None:
        """Give the entity that the words name exactly, in singular or plural."""
        name = morphology.name(
            *[morphology.singular(word) if i == 0 else word for i, word in enumerate(reversed(list(words)))][::-1]
        )
        return self.entities.get(name) or self._joined(name)

    def _joined(self, name: str) -> DraftEntity | None:
        """Give the entity that the name is another spelling of: sign-up and signup."""
        if name.count("_") > 1:
            return None
        joined = name.replace("_", "")
        return next((e for known, e in self.entities.items() if known.replace("_", "") == joined), None)

    def mentions(self, tokens: Sequence[Token]) -> list[Mention]:
        """Find the entities that the tokens name, in order; longer names win."""
        found: list[Mention] = []
        i = 0
        while i < len(tokens):
            mention = self._mention_at(tokens, i)
            if mention is None:
                i += 1
                continue
            mention.adjectives = _adjectives(tokens, found[-1].end if found else 0, mention.start)
            found.append(mention)
            i = mention.end
        return found

    def _mention_at(self, tokens: Sequence[Token], at: int) -> Mention | None:
        for length in range(min(4, len(tokens) - at), 0, -1):
            part = tokens[at : at + length]
            if (
                all(token.is_word for token in part)
                and (entity := self.known([token.low for token in part])) is not None
            ):
                return Mention(entity, at, at + length, plural=morphology.is_plural(part[-1].low))
        short = self.short(tokens[at])
        return Mention(short, at, at + 1, plural=morphology.is_plural(tokens[at].low)) if short is not None else None

    def short(self, token: Token) -> DraftEntity | None:
        """Give the one entity whose name ends in the word: "requests" for vacation requests."""
        if not token.is_word or (not morphology.is_plural(token.low) and self._names_field(token.low)):
            return None
        found = [entity for entity in self.entities.values() if entity.name.endswith(f"_{token.singular}")]
        return found[0] if len(found) == 1 else None

    def _names_field(self, word: str) -> bool:
        """Whether a word is, or ends, the name of something that is held."""
        names = {name for entity in self.entities.values() for name in entity.fields}
        return any(name == word or name.endswith(f"_{word}") for name in names)

    def add_rule(self, rule: spec.Rule) -> Mark:
        """Add a rule under a name that is still free, unless the same one is there."""
        for known in self.rules.values():
            if known.model_copy(update={"name": rule.name, "message": rule.message}) == rule:
                return ("rule", known.name)
        name, count = rule.name, 2
        while name in self.rules:
            name, count = f"{rule.name[:58]}_{count}", count + 1
        self.rules[name] = rule.model_copy(update={"name": name})
        return ("rule", name)


def _adjectives(tokens: Sequence[Token], floor: int, start: int) -> tuple[Token, ...]:
    from functions.neuron.reading import lexicon

    i = start
    stops = (
        lexicon.DETERMINERS | lexicon.PREPOSITIONS | lexicon.MODALS | lexicon.BE | lexicon.HAVE | {"only", "and", "or"}
    )
    while i > floor and tokens[i - 1].is_word and tokens[i - 1].low not in stops and tokens[i - 1].value is None:
        i -= 1
    return tuple(tokens[i:start])
