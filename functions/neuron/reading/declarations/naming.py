"""Which nouns name things that are kept, and which stand for the software, its users, or nothing of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology
from functions.neuron.reading.draft import Draft
from functions.neuron.reading.tokens import Kind, Token

if TYPE_CHECKING:
    from collections.abc import Sequence

# Nouns that stand for the software or its users at large, never for something that it keeps, unless the request says
# what they hold.
ACTORS: Final = lexicon.words(
    "user admin administrator client person developer visitor operator staff manager moderator librarian "
    "employee-user receptionist reader-user api-user end-user clerk caller"
)
SYSTEM: Final = lexicon.words(
    "system api service app application tool program cli library package backend server website platform "
    "software module solution we you i it they anyone everyone someone command utility script database "
    "interface endpoint response output input data information url web tui user-interface error code "
    "field attribute property rule way following one list each anything something nothing everything"
)
GENERIC: Final = ACTORS | SYSTEM
COLLECTIVE: Final = lexicon.words(
    "shop store library clinic hospital school gym company restaurant hotel bookshop bookstore club cinema "
    "theatre theater bank garage warehouse museum zoo farm bakery salon studio agency office business "
    "university college festival airline team organisation organization"
)
NOT_ENTITIES: Final = GENERIC | lexicon.words(
    "name title email price date status type description number count amount list total sum average report "
    "overview summary csv json file text word character moment letter digit up out"
)
SHARED_NOUNS: Final = lexicon.words(
    "author tag genre category label keyword student ingredient song skill actor member user participant "
    "attendee guest speaker teacher player allergen topping amenity feature permission role product course "
    "language topic director artist instructor sponsor volunteer club person group"
)


def subject_names(tokens: Sequence[Token], draft: Draft) -> list[str]:
    """Give the names (in the singular) of what a subject speaks of; a pronoun stands for the topic."""
    names: list[str] = []
    part: list[Token] = []
    for token in [*tokens, None]:
        if token is not None and token.low not in {"and", "or", ","}:
            part.append(token)
            continue
        name = noun_name(part, draft)
        if name:
            names.append(name)
        part = []
    return list(dict.fromkeys(names))


_NOUN_NAME_WORDS: Final = lexicon.words("single new existing given registered individual such here more most least")


def noun_name(part: Sequence[Token], draft: Draft) -> str | None:
    """Give the name of the thing that a noun phrase speaks of, without its determiners and what follows its head."""
    start = next((i for i, t in enumerate(part) if not _leads(t)), len(part))
    if start < len(part) and part[start].low in lexicon.PRONOUNS - {"one", "that"}:
        return draft.topic if part[start].low in {"it", "they", "he", "she"} else None
    if [token.low for token in part] == ["each"]:
        return draft.topic if _only_listed(draft) else None
    end = next((i for i in range(start, len(part)) if _ends_noun(part[i], first=i == start)), len(part))
    if any(token.kind is Kind.POSSESSIVE for token in part[:end]):
        return None
    words = [token for token in part[start:end] if token.is_word and token.value is None]
    if not words or len(words) > 4:
        return None
    known = next((e for i in range(len(words)) if (e := draft.known([token.low for token in words[i:]]))), None)
    return known.name if known is not None else _fresh_name(words)


def _only_listed(draft: Draft) -> bool:
    """Whether the clause before lists things of one kind and says no more, so that "each" is each of these."""
    before = [mark for mark in draft.marks[draft.at - 1] if mark != ("kind",)]
    return before == [("entity", draft.topic)] and set(draft.entities) == {draft.topic}


def _leads(token: Token) -> bool:
    """Whether a token stands in front of a noun without belonging to its name."""
    if token.low in lexicon.PRONOUNS - {"one", "that"} or token.text in {"(", "["} or token.kind is Kind.POSSESSIVE:
        return False
    leading = lexicon.DETERMINERS | lexicon.ADVERBS | _NOUN_NAME_WORDS | lexicon.PREPOSITIONS | {"same", "other", "own"}
    return not token.is_word or token.value is not None or token.low in leading


def _ends_noun(token: Token, *, first: bool) -> bool:
    """Whether a noun's name is over before this token."""
    behind = lexicon.PREPOSITIONS | lexicon.RELATIVES | lexicon.MODALS | lexicon.BE | _AFTER_NOUNS
    return token.text in {"(", "["} or (not first and token.low in behind)


_AFTER_NOUNS: Final = lexicon.words(
    "twice once again more only each also additionally all both moreover furthermore further"
)


def _fresh_name(words: list[Token]) -> str:
    """Name something that is new: its noun in the singular, without participles in front ("registered users")."""
    vague = {"active", "different", "various", "following", "open"}
    while len(words) > 1 and (morphology.is_participle(words[0].low) or words[0].low in vague):
        words = words[1:]
    head = words[-1].singular if words[-1].kind is Kind.WORD else morphology.singular(words[-1].text)
    return morphology.name(*[token.low if token.kind is Kind.WORD else token.text for token in words[:-1]], head)


def is_generic(name: str | None) -> bool:
    """Whether the name stands for the software or anyone, rather than for something kept."""
    return (
        name is None
        or name.replace("_", "-") in GENERIC
        or name.split("_")[0] in {"total", "sum", "average"}
        or name.split("_")[-1] in {"api", "tool", "app", "system", "service", "cli", "program", "crm"}
        or (name.endswith("_library") and name.split("_")[0] in {"python", "validation", "utility", "small", "math"})
    )


UNITS: Final = lexicon.words("hour minute day week month year time money point mile kilometre kilometer step")


AMBIGUOUS: Final = lexicon.words(
    "tool service app application program system database list website package platform solution property field"
)
"""Nouns for software that are as often the name of what is kept: the tools of a shed, the services of a salon."""
_RECORDS: Final = lexicon.words(
    "response error code rule property field list application website module solution tool service package"
)


def is_record(subject: Sequence[Token], name: str) -> bool:
    """Whether "a response has an answer" speaks of one of many that are kept, and not of what the system answers."""
    return bool(subject) and subject[0].low in {"a", "an", "each", "every"} and name in _RECORDS


def may_hold(name: str) -> bool:
    """Whether a noun can be the name of something that is kept when the request says what it holds."""
    return name.replace("_", "-") not in SYSTEM and name.split("_")[-1] not in {"api", "app", "cli", "backend"}


MANAGING_WORDS: Final = lexicon.words("manage track maintain keep administer handle organise organize")
