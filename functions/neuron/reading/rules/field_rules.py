"""Reads what a sentence of its own says of a field: "the price must not be negative", "guests are 18 or older"."""

from __future__ import annotations

from typing import Final

from functions.neuron.reading import conditions, fields, lexicon, quantities
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField
from functions.neuron.reading.rules import comparisons, quotas, readings, uniqueness
from shared.software.specification import FieldType

_FIELD_SAYS_WORDS: Final = lexicon.words(
    "be have exceed contain default start fall go drop become range use consist follow allow accept repeat "
    "lie change update edit modify reach set require leave limit omit restrict get"
)


def field_says(r: readings.Reading, draft: Draft) -> bool:
    """Read what is said of a field: "the price must be greater than zero", "an email must be unique"."""
    if not r.frame.subject or r.frame.verb not in _FIELD_SAYS_WORDS:
        return False
    found = False
    for entity, item in _subject_fields(r, draft):
        probe = DraftField(item.name)
        words = r.words[verb_start(r) :]
        end = fields.attributes(words, 0, probe)
        if end == 0 or probe.compared or not _says_something(probe):
            continue  # what compares it with another field, the readers of comparisons would have taken
        if end < len(words) and {t.low for t in words[end:]} & {"than", "its", "their"}:
            continue
        if quotas.period_in(words[end:]) is not None:
            continue  # "the minutes may not exceed 720 on one day" bounds no record's
        if probe.unique_per:
            return uniqueness.unique_per(r, draft, entity, item, probe)
        item.merge(probe)
        found = draft.mark(("field", entity.name, item.name))
        if probe.present or probe.nonzero:
            item.at = draft.at
            comparisons.held_to_present(draft, entity, item)
        if end < len(words) and not r.frame.conditions:
            rest = words[end:]
            if any(t.is_word and t.low not in lexicon.PREPOSITIONS | lexicon.DETERMINERS for t in rest):
                draft.leave(rest, "this part was not understood")
    return found


def verb_start(r: readings.Reading) -> int:
    """Give where a sentence's verb begins."""
    return (
        len(r.frame.subject)
        if r.words[: len(r.frame.subject)] == r.frame.subject
        else next((i for i, t in enumerate(r.words) if r.frame.subject and t is r.frame.subject[-1]), 0) + 1
    )


def _says_something(probe: DraftField) -> bool:
    return any(
        value not in (None, False, (), "") or (value == 0 and value is not False)
        for key, value in vars(probe).items()
        if key not in {"name", "words", "description", "many"}
    )


def of_age(r: readings.Reading, draft: Draft) -> bool:
    """Read "a customer must be at least 18 years old": an age that the entity must have."""
    entity = r.subject
    lows = r.lows
    if entity is not None and _too_young(r, draft, entity):
        return True
    if (
        entity is None
        or r.frame.verb != "be"
        or "whose" in lows  # it is something of theirs that is so old
        or not ("old" in lows or "age" in lows or "older" in lows or "over" in lows)
    ):
        return False
    for i in range(len(r.frame.rest)):
        read = quantities.bound(r.frame.rest, i)
        if read is not None and (not read[0].exact or "older" in lows):
            bound = read[0] if not r.frame.negated or read[0].exact else read[0].negated()
            item = entity.add(DraftField("age", FieldType.INTEGER))
            limits = bound.whole()
            item.minimum = limits.low if limits.low is not None else item.minimum
            item.maximum = limits.high if limits.high is not None and not bound.exact else item.maximum
            return draft.mark(("field", entity.name, "age"))
    return False


def _too_young(r: readings.Reading, draft: Draft, entity: DraftEntity) -> bool:
    """Read "volunteers under 16 aren't accepted", "members younger than 18 are refused"."""
    behind = r.frame.subject[r.subjects[0].end :]
    refused = r.frame.verb in {"refuse", "reject", "exclude"} and not r.frame.negated
    denied = r.frame.verb in {"accept", "allow", "admit", "permit"} and r.frame.negated
    lows = [t.low for t in behind if t.low not in {"the", "age", "of"}]
    end = len(lows) - (lows[-2:] == ["years", "old"]) * 2 - (lows[-1:] == ["years"])
    young = lows[: end - 1] in (["under"], ["younger", "than"], ["below"], ["who", "are", "under"])
    years = next((t.value for t in behind if t.value is not None), None)
    if not (refused or denied) or not young or years is None or r.frame.rest or r.frame.conditions:
        return False
    entity.add(DraftField("age", FieldType.INTEGER)).minimum = int(years)
    return draft.mark(("field", entity.name, "age"))


def _subject_fields(r: readings.Reading, draft: Draft) -> list[tuple[DraftEntity, DraftField]]:
    """Find the fields that the subject names: "a book's ISBN", "the price of a product", "prices"."""
    owners = [m.entity for m in r.subjects]
    topic = draft.entities.get(draft.topic or "")
    everyone = owners or ([topic] if topic else []) + [e for e in draft.entities.values() if e is not topic]
    for entity in everyone:
        found: list[tuple[DraftEntity, DraftField]] = []
        at = 0
        described = {token for mention in r.subjects for token in mention.adjectives}
        while (named := conditions.find_field(r.frame.subject, entity, at)) is not None:
            if found and r.frame.subject[named[1] - 2].low == "of" and not named[0].target:
                break  # "the minutes of a lawyer" are minutes, and no lawyer
            if not described.intersection(r.frame.subject[named[1] : named[2]]):
                found.append((entity, named[0]))
            at = named[2]
        if not found:
            nouns = [t.low for t in r.frame.subject if t.is_word and t.low not in lexicon.DETERMINERS]
            found = [
                (entity, f)
                for n, f in entity.fields.items()
                if nouns and n.startswith(f"{nouns[-1]}_") and not f.target
            ][:1]
        if found:
            return found
    if not owners or (
        owners and not any(t.text == "'s" for t in r.frame.subject) and not any(t.low == "of" for t in r.frame.subject)
    ):
        return []
    return []
