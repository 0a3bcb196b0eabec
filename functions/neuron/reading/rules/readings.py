"""A clause as the readers of rules see it: its frame, its words, and the entities that it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import conditions, frames, lexicon, morphology
from functions.neuron.reading.draft import Draft, DraftEntity, Mark, Mention
from functions.neuron.reading.tokens import Kind, Token
from shared.software.specification import FieldType, TransitionRule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.clauses import Clause
    from functions.neuron.reading.frames import Frame
    from shared.software.specification import Condition


@dataclass(frozen=True)
class Reading:
    """A clause as the readers see it: its frame, its words, and the entities that it names."""

    frame: Frame
    words: tuple[Token, ...]
    subjects: list[Mention]
    objects: list[Mention]

    @property
    def subject(self) -> DraftEntity | None:
        """The entity that the subject speaks of."""
        return self.subjects[0].entity if self.subjects else None

    @property
    def lows(self) -> list[str]:
        """All words in lower case."""
        return [token.low for token in self.words]


_STANDING_FOR: Final = frozenset({"them", "it", "one", "these", "everyone", "everything", "all"})


def reading_of(clause: Clause, draft: Draft) -> Reading:
    """Take a clause apart against the known entities."""
    words = _with_figure(clause.words, draft)
    frame = frames.parse(words) or _fragment(clause)
    subjects = draft.mentions(frame.subject)
    if not subjects and frame.subject and frame.subject[-1].low in {"it", "they"} and draft.topic in draft.entities:
        subjects = [Mention(draft.entities[draft.topic], 0, 1)]
    if not subjects and frame.subject:
        subjects = _ones(frame.subject, draft) or _by_state(frame.subject, draft)
    objects = draft.mentions(frame.rest) or _ones(frame.rest, draft)
    if not objects and frame.rest and frame.rest[0].low in _STANDING_FOR and draft.topic in draft.entities:
        objects = [Mention(draft.entities[draft.topic], 0, 1)]
    return Reading(frame, tuple(words), subjects, objects)


def _with_figure(words: Sequence[Token], draft: Draft) -> Sequence[Token]:
    """Name the one figure of the topic in "it can't be negative", which no thing as a whole can be."""
    topic = draft.entities.get(draft.topic or "")
    if topic is None or words[0].low not in {"it", "this"} or not _of_figures(words):
        return words
    kinds = {FieldType.INTEGER, FieldType.DECIMAL, FieldType.NUMBER}
    figures = [f for f in topic.fields.values() if conditions.kind_of(f) in kinds and not f.managed]
    if len(figures) != 1:
        return words
    at = words[0].start
    return (*(Token(Kind.WORD, word, at, words[0].end) for word in figures[0].name.split("_")), *words[1:])


def _of_figures(words: Sequence[Token]) -> bool:
    lows = [t.low for t in words]
    compares = (
        any(low in {"higher", "lower", "greater", "less", "larger", "smaller"} for low in lows) and "than" in lows
    )
    return compares or "negative" in lows or "exceed" in lows


def _by_state(tokens: Sequence[Token], draft: Draft) -> list[Mention]:
    """Read "a draft" as a post that is a draft."""
    words = [t for t in tokens if t.is_word and t.low not in lexicon.DETERMINERS | lexicon.ADVERBS | {"only"}]
    if len(words) != 1:
        return []
    for entity in draft.entities.values():
        states = entity.machine.states if entity.machine is not None else ()
        listed = [v for f in entity.fields.values() if f.name in {"status", "state", "stage"} for v in f.values]
        named = words[0].singular
        meant = next(
            (s for s in (*states, *listed) if named in {s, morphology.verb_base(s), s.removesuffix("ed")}), None
        )
        if meant is not None:
            adjective = Token(words[0].kind, meant, words[0].start, words[0].end)
            return [Mention(entity, 0, len(tokens), adjectives=(adjective,))]
    return []


def _ones(tokens: Sequence[Token], draft: Draft) -> list[Mention]:
    """Read "only open ones" as what was last spoken of."""
    at = next((i for i, t in enumerate(tokens) if t.low == "ones"), None)
    topic = draft.entities.get(draft.topic or "")
    if at is None or topic is None:
        return []
    before = tuple(t for t in tokens[:at] if t.low not in lexicon.DETERMINERS | {"only", "the"})
    return [Mention(topic, at, at + 1, adjectives=before, plural=True)]


def _fragment(clause: Clause) -> Frame:
    """Read a clause without a verb ("No more than two open tickets per customer") as one about what it names."""
    negated = clause.words[0].low in lexicon.NEGATIONS
    group = frames.VerbGroup(0, 0, ("be",), "", None, negated, clause.words[0].low == "only")
    return frames.Frame((), group, tuple(clause.words))


def sentence(tokens: Sequence[Token], request: str) -> str:
    """Give the clause as one sentence for a message."""
    tokens = [token for token in tokens if token.end]
    text = " ".join(request[tokens[0].start : tokens[-1].end].split())[:300] if tokens else "This is refused"
    return f"{text[0].upper()}{text[1:]}." if text else "This is refused."


def rule_name(*parts: str) -> str:
    """Name a rule after what it is about."""
    return morphology.name(*parts)


def guarded(r: Reading, draft: Draft, entity: DraftEntity, action: str, requires: tuple[Condition, ...]) -> Mark:
    """Add the rule that an action is taken only where the conditions hold; give its mark."""
    rule = TransitionRule(
        name=rule_name(entity.name, action, "allowed"),
        entity=entity.name,
        message=sentence(r.words, draft.request),
        action=action,
        requires=requires,
    )
    return draft.add_rule(rule)


def candidate_entities(r: Reading, draft: Draft) -> list[DraftEntity]:
    """Give the things that a sentence may speak of: those that it names, the topic, then all others."""
    named = [m.entity for m in (*r.subjects, *r.objects)]
    topic = [draft.entities[draft.topic]] if draft.topic in draft.entities else []
    return list({e.name: e for e in (*named, *topic, *draft.entities.values())}.values())
