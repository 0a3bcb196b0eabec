"""Parts of a sentence: the object of a verb, what stands behind prepositions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, quantities
from functions.neuron.reading.declarations import naming
from functions.neuron.reading.draft import Draft
from functions.neuron.reading.tokens import Kind as TokenKind
from functions.neuron.reading.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROLE_PREPOSITIONS: Final = lexicon.words("per to for in on of from at with by into as about against")


def replace_token(token: Token) -> Token:
    """Write a preposition between two things that are joined as "and"."""
    return Token(TokenKind.WORD, "and", token.start, token.end)


def without_prepositions(tokens: Sequence[Token]) -> list[Token]:
    """Leave out the prepositions that only lead to a thing: "for a member and for a book"."""
    return [
        token
        for i, token in enumerate(tokens)
        if not (
            token.low in _ROLE_PREPOSITIONS - {"of", "in", "with"}
            and i + 1 < len(tokens)
            and (tokens[i + 1].low in lexicon.DETERMINERS or tokens[i + 1].low == "one")
            and (i == 0 or tokens[i - 1].low in {"and", ","})
        )
        and not (token.low in {"in", "with"} and i + 1 < len(tokens) and tokens[i + 1].low == "one")
    ]


def prepositional(tokens: Sequence[Token], draft: Draft) -> tuple[str, ...]:
    """Give the names of what stands behind prepositions: "for events", "on an article"."""
    found: list[str] = []
    i = 0
    while i < len(tokens):
        if tokens[i].low in _ROLE_PREPOSITIONS:
            end = next(
                (
                    j
                    for j in range(i + 1, len(tokens))
                    if tokens[j].low in lexicon.PREPOSITIONS | {",", "(", "and", "that", "which", "who"}
                    or _comparative(tokens, j)
                ),
                len(tokens),
            )
            name = naming.noun_name(tokens[i + 1 : end], draft)
            if (
                name
                and not naming.is_generic(name)
                and name not in naming.NOT_ENTITIES
                and quantities.duration(tokens, i + 1) is None
                and quantities.period(tokens, i + 1) is None
            ):
                found.append(name)
            i = end
        else:
            i += 1
    return tuple(found)


def head_with(head: Sequence[Token]) -> list[Token]:
    """Write an object that is a mere attribute ("an amount") as what the link has: "with an amount"."""
    return [Token(TokenKind.WORD, "with", head[0].start, head[0].start), *head] if head else []


def plain(subject: Sequence[Token]) -> list[Token]:
    """The subject without a bound in front of it ("at most 3 members", "no more than two guests")."""
    bound = quantities.bound(subject, 0)
    return list(subject[bound[1] :] if bound else subject)


def object_of(rest: Sequence[Token]) -> tuple[list[Token], list[Token]]:
    """Cut a complement into its direct object, without its bound, and what stands behind."""
    start = 0
    while start < len(rest):
        if (bound := quantities.bound(rest, start)) is not None:
            start = bound[1]
        elif rest[start].low in {"only", "at", "more", "than", "the", "same"}:
            start += 1
        else:
            break
    end = next(
        (
            i
            for i in range(start, len(rest))
            if rest[i].low in lexicon.PREPOSITIONS | {"twice", "once", "again", "more", "which", "that", "each"}
            or rest[i].text in {",", "("}
            or quantities.period(rest, i) is not None
            or _comparative(rest, i)
        ),
        len(rest),
    )
    return list(rest[start:end]), list(rest[end:])


def _comparative(tokens: Sequence[Token], at: int) -> bool:
    """Whether a comparison stands at a position: "deeper than"."""
    return tokens[at].low.endswith("er") and at + 1 < len(tokens) and tokens[at + 1].low == "than"


EACH_WITH: Final = 2


def or_nobody(targets: Sequence[Token]) -> tuple[Sequence[Token], bool]:
    """Take "possibly to nobody" and "or to none" off what a thing belongs to: it may belong to nothing."""
    none = next((i for i, t in enumerate(targets) if i and t.low in _NOTHING), None)
    if none is None:
        return targets, False
    start = none
    while start and targets[start - 1].low in _PERHAPS:
        start -= 1
    return (targets[:start], True) if start and none == len(targets) - 1 else (targets, False)


_NOTHING: Final = lexicon.words("nobody none nothing noone")
_PERHAPS: Final = lexicon.words("possibly perhaps maybe or to , by for also")
