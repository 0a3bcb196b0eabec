"""Finds the finite verb of a clause, and whether an order begins: agreement, and what stands around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology
from functions.neuron.reading.quantities import is_number
from functions.neuron.reading.tokens import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token

_SUBJECT_LIMIT: Final = 24
SPLITTING: Final = lexicon.words("if when whenever unless while once because provided")
_FINITE_HELPERS: Final = (
    lexicon.MODALS | (lexicon.BE - {"being", "been", "be"}) | (lexicon.HAVE - {"having"}) | {"do", "does", "do-not"}
)


def close_of(tokens: Sequence[Token], at: int) -> int:
    """Give the position of the bracket that closes the one at `at`; the last position when none does."""
    depth = 0
    for i in range(at, len(tokens)):
        if tokens[i].text in {"(", "["}:
            depth += 1
        elif tokens[i].text in {")", "]"}:
            depth -= 1
            if depth == 0:
                return i
    return len(tokens) - 1


def finite_verb(tokens: Sequence[Token], at: int, *, conjoined: bool = False) -> int | None:
    """Give the position of the finite verb of a clause whose subject begins at `at`; None when there is no such clause.

    `conjoined`: the subject may hold "and".
    """
    i = at
    while i < len(tokens) and i - at < _SUBJECT_LIMIT:
        token = tokens[i]
        if token.text in {"(", "["}:
            i = close_of(tokens, i) + 1
            continue
        if (
            i > at
            and token.low in lexicon.RELATIVES
            and not (token.low == "that" and tokens[i - 1].low in lexicon.PREPOSITIONS)
        ):
            i = _past_relative(tokens, i)
            continue
        if i > at and token.low in _CONTACT and _is_noun(tokens[i - 1]):
            i = _past_relative(tokens, i)  # "subjects they can teach"
            continue
        if i > at and not _counted_noun(tokens, at, i) and _is_finite(tokens, at, i):
            return i
        if _ends_subject(token, conjoined=conjoined, first=i == at) and not (
            token.low == "to" and i + 1 < len(tokens) and tokens[i + 1].low in lexicon.DETERMINERS
        ):
            return None
        i += 1
    return None


def _counted_noun(tokens: Sequence[Token], at: int, i: int) -> bool:
    """Whether a word is what is counted: "visits" in "a number of paid visits"."""
    return any(
        tokens[j].low in {"number", "count"} and tokens[j + 1].low == "of" for j in range(max(at, i - 3), i - 1)
    ) and morphology.is_plural(tokens[i].low)


_CONTACT: Final = frozenset({"they", "he", "she", "we", "you", "it", "nobody", "noone"})


def _is_noun(token: Token) -> bool:
    closed = lexicon.PREPOSITIONS | lexicon.CONJUNCTIONS | lexicon.SUBORDINATORS | lexicon.ADVERBS | lexicon.DETERMINERS
    return token.kind is Kind.WORD and token.low not in closed | lexicon.MODALS | lexicon.BE | lexicon.HAVE


def _ends_subject(token: Token, *, conjoined: bool, first: bool) -> bool:
    if token.kind in {Kind.PUNCTUATION, Kind.BREAK, Kind.BULLET}:
        return not (token.text == "," and conjoined)
    return not first and (
        (token.low in lexicon.CONJUNCTIONS and not conjoined)
        or token.low in SPLITTING
        or token.low in {"to", "where", "whether"}
    )


def _past_relative(tokens: Sequence[Token], at: int) -> int:
    """Give the position behind the verb of the relative clause at `at`."""
    first = at + 1 + (tokens[at].low == "whose")  # "an artist whose name may be unknown": the name is no verb
    for i in range(first, min(at + 6, len(tokens))):
        if tokens[i].low in _FINITE_HELPERS or tokens[i].verb is not None:
            modal = tokens[i].low in lexicon.MODALS and i + 1 < len(tokens)
            if modal and tokens[i + 1].verb == tokens[i + 1].low:
                i += 1  # noqa: PLW2901 - the infinitive behind a modal
            while i + 1 < len(tokens) and (
                tokens[i + 1].low in lexicon.ADVERBS | {"not", "never", "be", "been"}
                or morphology.is_participle(tokens[i + 1].low)
            ):
                i += 1  # noqa: PLW2901 - the helpers and participles that follow belong to the same verb
            return i + 1
    return at + 1


def _is_finite(tokens: Sequence[Token], at: int, i: int) -> bool:
    token, before = tokens[i], tokens[i - 1]
    if token.low in lexicon.MODALS and i == at + 1 and before.low in {"from", "to", "until"}:
        return True  # a field that is called so
    if token.low in _FINITE_HELPERS and before.low in {"that", "this", "those"} and i - 1 > at:
        return tokens[i - 2].low in lexicon.PREPOSITIONS  # "a dog heavier than that must not be taken"
    if before.low in lexicon.ARTICLES or before.low in lexicon.PREPOSITIONS or before.kind is Kind.POSSESSIVE:
        return False
    if token.low in _FINITE_HELPERS:
        return token.low != "needs" or i + 1 < len(tokens)
    if i + 1 < len(tokens) and tokens[i + 1].low in _FINITE_HELPERS - {"do-not"}:
        return False  # "honey harvests have a date": a noun in front of the verb
    if token.verb is None:
        return _unknown_verb(tokens, at, i)
    if token.low.endswith("ing"):
        return False
    if token.low == token.verb:
        return _agrees_in_plural(tokens, at, i)
    if token.low.endswith("s"):
        return _agrees_in_singular(tokens, at, i)
    return False


_UNKNOWN_VERB_WORDS: Final = lexicon.words("a an one the exactly many several its their")


def _unknown_verb(tokens: Sequence[Token], at: int, i: int) -> bool:
    """Whether a word that the lexicon does not know stands where only a verb can."""
    token, before = tokens[i], tokens[i - 1]
    if (
        token.kind is not Kind.WORD
        or not 1 <= i - at <= 3
        or i + 1 >= len(tokens)
        or tokens[i + 1].low not in _UNKNOWN_VERB_WORDS
    ):
        return False
    if any(not t.is_word or t.low in lexicon.PREPOSITIONS | lexicon.CONJUNCTIONS for t in tokens[at:i]):
        return False
    if token.low.endswith("s") and not token.low.endswith("ss"):
        return tokens[at].low in lexicon.DETERMINERS and not morphology.is_plural(before.low)
    return (
        morphology.is_plural(before.low)
        and not morphology.is_plural(token.low)
        and token.low not in lexicon.PREPOSITIONS | lexicon.ADVERBS | lexicon.SUBORDINATORS
    )


def _agrees_in_plural(tokens: Sequence[Token], at: int, i: int) -> bool:
    word, before = tokens[i].low, tokens[i - 1]
    if before.low in lexicon.ADVERBS and i - 1 > at:
        before = tokens[i - 2]
    plural = morphology.is_plural(before.low) or before.low in {"they", "we", "you", "i", "who", "that", "which"}
    plural = plural or _plural_of(tokens, at, i)
    if not plural and not _conjoined_subject(tokens, at, i):
        return False
    particle = tokens[i + 1].low if i + 1 < len(tokens) else ""
    phrasal = (word, particle) in {("start", "out"), ("start", "off"), ("end", "up")}
    return (
        word not in lexicon.NOUN_VERBS or phrasal or begins_complement(tokens, i + 1) or _compound_object(tokens, at, i)
    )


def _compound_object(tokens: Sequence[Token], at: int, i: int) -> bool:
    """Whether a noun of two words is the object of what stands right behind a plural: "employees log time entries"."""
    if i != at + 1 or i + 2 >= len(tokens) or tokens[i + 1].kind is not Kind.WORD:
        return False
    return tokens[i + 1].verb is None and morphology.is_plural(tokens[i + 2].low)


def _plural_of(tokens: Sequence[Token], at: int, i: int) -> bool:
    """Whether the subject is many of one thing: "inspections of a hive"."""
    of = next((j for j in range(at + 1, min(at + 3, i)) if tokens[j].low in {"of", "for"}), None)
    if of is None or not morphology.is_plural(tokens[of - 1].low) or of + 1 >= i:
        return False
    return (
        tokens[of + 1].low in lexicon.DETERMINERS
        and all(t.is_word for t in tokens[of + 1 : i])
        and i - of <= _SUBJECT_TAIL
    )


_SUBJECT_TAIL: Final = 4


def _conjoined_subject(tokens: Sequence[Token], at: int, i: int) -> bool:
    return any(token.low == "and" for token in tokens[at:i])


def _agrees_in_singular(tokens: Sequence[Token], at: int, i: int) -> bool:
    word, before = tokens[i].low, tokens[i - 1]
    if before.low in lexicon.ADVERBS and i - 1 > at:
        before = tokens[i - 2]
    if morphology.is_plural(before.low) and before.low not in {"it", "this", "that", "which", "who"}:
        return False
    base = tokens[i].verb
    if base not in lexicon.NOUN_VERBS:
        return True
    if tokens[at].low == "it" and i == at + 1:
        return True
    determined = tokens[at].low in lexicon.DETERMINERS | {"it"} or tokens[i - 1].low in {"that", "which", "who"}
    return determined and (begins_complement(tokens, i + 1) or i + 1 == len(tokens)) and word != "has"


_BEGINS_COMPLEMENT_WORDS: Final = lexicon.words(
    "at up out more only for to from in into by through between them it twice once on as with new which when "
    "something everything"
)


def begins_complement(tokens: Sequence[Token], at: int) -> bool:
    """Whether an object or an adverbial can begin at `at`, rather than a second noun of a compound."""
    if at >= len(tokens):
        return False
    token = tokens[at]
    if token.low == "that" and at + 1 < len(tokens) and tokens[at + 1].low in _FINITE_HELPERS:
        return False  # "a staff number that is unique"
    return (
        token.low in lexicon.DETERMINERS | _BEGINS_COMPLEMENT_WORDS
        or is_number(token)
        or (token.kind is Kind.WORD and morphology.is_plural(token.low))
    )


_IMPERATIVE_AT_WORDS: Final = lexicon.words("of by with and , or is for in")


def imperative_at(tokens: Sequence[Token], at: int) -> bool:
    """Whether an order begins at `at`: "list tasks", "add a task"."""
    if at >= len(tokens) or tokens[at].kind is not Kind.WORD:
        return False
    word = tokens[at].low
    if tokens[at].verb != word or word in lexicon.BE | lexicon.HAVE:
        return False
    if at + 1 >= len(tokens):
        return word in lexicon.OPERATION_VERBS or word not in lexicon.NOUN_VERBS
    following = tokens[at + 1]
    if word in {"filter", "sort", "search", "order"} and following.low == "by":
        return True
    if word in lexicon.OPERATION_VERBS and following.low not in _IMPERATIVE_AT_WORDS and _noun_ahead(tokens, at + 1):
        return True
    if word in _MARKING and at + 2 < len(tokens) and morphology.is_plural(following.low):
        return tokens[at + 2].low in {"as", "done"} or morphology.is_participle(tokens[at + 2].low)
    if word in lexicon.NOUN_VERBS:
        coordinated = (
            word in lexicon.OPERATION_VERBS and following.low in {",", "and", "or"} and _verb_follows(tokens, at + 1)
        )
        return (
            begins_complement(tokens, at + 1) and following.low not in {"for", "in", "with", "as", "on", "by"}
        ) or coordinated
    return following.low not in _FINITE_HELPERS and following.low not in {"of", "by"}


_MARKING: Final = frozenset({"mark", "flag", "tick"})


def _noun_ahead(tokens: Sequence[Token], at: int) -> bool:
    """Whether an object with adjectives stands at `at`: "overdue loans", "the cheapest products"."""
    for token in tokens[at : at + 5]:
        if not token.is_word:
            return False
        plural = morphology.is_plural(token.low) and (token.verb is None or token is not tokens[at])
        if token.low in lexicon.DETERMINERS | {"everyone", "everything", "them"} or plural or is_number(token):
            return True
        if token.low in _FINITE_HELPERS | lexicon.PREPOSITIONS:
            return False
    return False


def _verb_follows(tokens: Sequence[Token], at: int) -> bool:
    while at < len(tokens) and tokens[at].low in {",", "and", "or", "/"}:
        at += 1
    return at < len(tokens) and tokens[at].verb == tokens[at].low
