"""Reads a verb with its helpers, negation, particle and the verbs that are coordinated with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology
from functions.neuron.reading.frames import parts, verbs
from functions.neuron.reading.tokens import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token
_PERMISSIONS: Final = lexicon.words("allowed able permitted free required supposed expected forbidden prohibited")
_WISHES: Final = frozenset({"want", "wants", "wish", "wishes", "like", "need"})


def verb_group(tokens: Sequence[Token], at: int) -> parts.VerbGroup:
    """Read the verb whose first word stands at `at`, with its helpers, negation and coordinated verbs."""
    i, modal, negated, only, be = at, None, False, False, False
    while i < len(tokens):
        word = tokens[i].low
        if word in lexicon.NEGATIONS or (word == "neither" and i > at):
            negated = True
            i += word == "no" and i + 1 < len(tokens) and tokens[i + 1].low == "longer"
            modal = {"cannot": "can", "must-not": "must"}.get(word, modal)
            be = be or word == "is-not"
        elif word in lexicon.MODALS:
            modal = "must" if word == "needs" else word
            if word == "needs" and not (i + 1 < len(tokens) and tokens[i + 1].low == "to"):
                return parts.VerbGroup(at, i + 1, ("need",), word, None, negated, only)
        elif _auxiliary(tokens, i, modal):
            modal = "must" if word == "to" and modal is None and not be else modal
        elif word == "only":
            only = True
        elif word in lexicon.BE:
            be = True
        elif word in _PERMISSIONS and be and _infinitive_follows(tokens, i + 1):
            modal, be = ("must" if word in {"required", "supposed", "expected"} else "can"), False
            negated = negated or word in {"forbidden", "prohibited"}
        elif _helper(tokens, i):
            be = be or word in {"get", "gets"}  # "claims get paid"
        else:
            break
        i += 1
    return _main_verb(tokens, at, i, parts.VerbGroup(at, i, ("be",), "", modal, negated, only, be))


def _auxiliary(tokens: Sequence[Token], i: int, modal: str | None) -> bool:
    """Whether "do" or "to" helps another verb; in "cannot do more than five inspections" it is the verb itself."""
    if tokens[i].low not in {"do", "does", "to"} or i + 1 >= len(tokens):
        return False
    return tokens[i].low != "do" or modal is None or not verbs.begins_complement(tokens, i + 1)


def _infinitive_follows(tokens: Sequence[Token], at: int) -> bool:
    return at < len(tokens) and tokens[at].low in {"to", "from"}


def _helper(tokens: Sequence[Token], i: int) -> bool:
    word = tokens[i].low
    if word in _WISHES and i + 2 < len(tokens) and tokens[i + 1].low == "to":
        return True
    if word in {"has", "have", "had"}:
        following = tokens[i + 1 : i + 3]
        return bool(following) and (
            following[0].low in {"been", "to", "got"}
            or (following[0].low in {"not", "already"} and len(following) > 1 and following[1].low == "been")
        )
    if word in {"get", "gets"}:
        return i + 1 < len(tokens) and morphology.is_participle(tokens[i + 1].low)
    return word in lexicon.ADVERBS and i + 1 < len(tokens)


def _main_verb(tokens: Sequence[Token], at: int, i: int, group: parts.VerbGroup) -> parts.VerbGroup:
    be = group.passive
    word = tokens[i].low if i < len(tokens) else ""
    ends = group.modal is not None and i + 1 >= len(tokens)
    follows = i + 1 < len(tokens) and tokens[i + 1].low in lexicon.PREPOSITIONS
    unknown = word.endswith("ed") and len(word) > 5 and (ends or follows)
    if be and not (word and (morphology.is_participle(word) or unknown)):
        return parts.VerbGroup(at, i, ("be",), "be", group.modal, group.negated, group.only, passive=False)
    if not word or tokens[i].kind is Kind.PUNCTUATION:
        return parts.VerbGroup(at, i, ("be",), "", group.modal, group.negated, group.only, passive=False)
    possessed = word == "got" and i > at and tokens[i - 1].low in lexicon.HAVE
    verbs, end = ["have" if possessed else morphology.guessed_base(word)], i + 1
    end = _particle(tokens, end, verbs)
    while (following := _coordinated(tokens, end, passive=be)) is not None:
        verbs.append(morphology.guessed_base(tokens[following].low))
        end = _particle(tokens, following + 1, verbs)
    return parts.VerbGroup(at, end, tuple(verbs), word, group.modal, group.negated, group.only, passive=be)


def _particle(tokens: Sequence[Token], end: int, verbs: list[str]) -> int:
    if end < len(tokens) and (verbs[-1], tokens[end].low) in lexicon.PARTICLES:
        verbs[-1] = lexicon.PARTICLES[verbs[-1], tokens[end].low]
        return end + 1
    return end


def _coordinated(tokens: Sequence[Token], at: int, *, passive: bool) -> int | None:
    """Give the position of a further verb of the same form behind ",", "and" or "or"."""
    i = at
    while i < len(tokens) and (
        tokens[i].low in {",", "and", "or", "/", "nor"} or (i > at and tokens[i].low in {"then", "finally", "later"})
    ):
        i += 1
    if i == at or i >= len(tokens) or tokens[i].kind is not Kind.WORD:
        return None
    if passive:
        ones = i + 1 < len(tokens) and tokens[i + 1].low == "ones"  # "can be paused and paused ones resumed"
        return i if morphology.is_participle(tokens[i].low) and not ones else None
    if tokens[i].verb != tokens[i].low or tokens[i].low in lexicon.BE:
        return None
    return i
