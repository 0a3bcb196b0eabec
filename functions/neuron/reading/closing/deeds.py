"""What a verb makes, and which things stand for deeds: a loan for borrowing."""

from __future__ import annotations

from typing import Final

from functions.neuron.reading import lexicon, morphology
from functions.neuron.reading.draft import DraftEntity

NOUNS: Final[dict[str, tuple[str, ...]]] = {
    "borrow": ("loan", "borrowing", "checkout", "lending"),
    "rent": ("rental", "lease", "booking", "hire"),
    "hire": ("hire", "rental", "booking"),
    "book": ("booking", "reservation", "appointment"),
    "reserve": ("reservation", "booking", "hold"),
    "enrol": ("enrolment", "enrollment", "registration"),
    "enroll": ("enrollment", "enrolment", "registration"),
    "register": ("registration", "enrolment", "enrollment", "signup"),
    "buy": ("purchase", "order", "sale"),
    "purchase": ("purchase", "order", "sale"),
    "order": ("order", "purchase"),
    "join": ("membership", "participation"),
    "attend": ("attendance", "registration"),
    "rate": ("rating", "review"),
    "review": ("review", "rating"),
    "sign-up": ("signup", "registration", "booking"),
    "submit": ("submission",),
    "vote": ("vote",),
    "subscribe": ("subscription",),
}


def makes(verb: str, entity: DraftEntity) -> bool:
    """Whether doing what the verb says makes such an entity: booking makes bookings."""
    last = entity.name.split("_")[-1]
    if verb not in lexicon.LINKING_VERBS and last in {verb, lexicon.deed(verb)} and verb:
        return any(field.target for field in entity.fields.values())
    return entity.link_verb == verb or (
        verb in lexicon.LINKING_VERBS and entity.name.split("_")[-1] in NOUNS.get(verb, (lexicon.deed(verb),))
    )


def is_link(entity: DraftEntity) -> bool:
    """Whether the entity stands for a deed that links others."""
    return entity.link_verb is not None or (
        any(makes(verb, entity) for verb in lexicon.LINKING_VERBS) and any(f.target for f in entity.fields.values())
    )


def lexicon_participle(verb: str) -> str:
    """Give the participle of a verb as an identifier: check-out -> checked_out."""
    return morphology.name(morphology.participle(verb))
