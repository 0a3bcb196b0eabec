"""Reads what is to be computed: counts, conversions, statistics, formulas, tests and transformations of texts.

Formulas that the request writes out come first; then units, codes, named formulas, and the catalogue of algorithms.
Promises: nothing is guessed beyond
what is named: a result that is neither written out nor known stays undone.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, predicates, quantities
from functions.neuron.reading.computing import (
    arguments,
    catalogued,
    codes,
    computations,
    conversions,
    further,
    named,
    passwords,
    stated,
)
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.clauses import Clause
    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.tokens import Token


def read(clause: Clause, draft: Draft) -> bool:
    """Read a clause for what it wants computed; True when that was found and added to the draft."""
    words = clause.words
    if stated.written_out(words, draft):
        return True
    if _under_condition(words):
        return False
    if judges(clause, draft):
        return True
    parts = _deeds(words)
    if len(parts) > 1 and any(_greedy(part) for part in parts):
        return _apart(parts, draft)
    if conversions.conversion(words, draft):
        beside = _beside_conversion(words)
        if beside:
            _several(beside, draft)
        return True
    if passwords.password(words, draft):
        _beside_password(words, draft)
        return True
    return _several(words, draft)


def judges(clause: Clause, draft: Draft) -> bool:
    """Read "and says whether each is valid" behind what checks something: that is what it gives already."""
    before = [mark[1] for mark in draft.marks.get(draft.at - 1, ()) if mark[0] == "computation"]
    known = [draft.computations[name] for name in before if name in draft.computations]
    words = [t.low for t in clause.tokens if t.is_word]
    at = words.index("whether") if "whether" in words else words.index("if") if "if" in words else len(words)
    asks = at < len(words) - 1 and set(words[:at]) <= _TELLING and set(words[at + 1 :]) <= _RIGHT
    if not asks or not known or any(c.returns is not FieldType.BOOLEAN for c in known):
        return False
    return draft.mark(*[("computation", c.name) for c in known])


_TELLING: Final = lexicon.words("and it says say tells tell reports report returns return me shows show prints print")
_RIGHT: Final = lexicon.words(
    "each it they that one of them the number is are valid correct right or not invalid wrong"
)


def _under_condition(words: Sequence[Token]) -> bool:
    """Whether something is computed only if a figure is so or so: "if the total is over 100, a discount of 10%"."""
    if words[0].low not in {"if", "unless", "when", "while"}:
        return False
    bounds = (quantities.bound(words, i) for i in range(len(words)))
    return any(bound is not None and not bound[0].exact for bound in bounds)


def _deeds(words: Sequence[Token]) -> list[Sequence[Token]]:
    """Cut where the software does something else: "converts miles to metres, counts words and checks passwords"."""
    starts = [
        i
        for i, t in enumerate(words)
        if i
        and t.verb in computations.COMPUTING
        and t.low not in {t.verb, t.singular if t.verb != t.singular else ""}
        and t.low.endswith("s")
        and (words[i - 1].low in {"and", "that", "which", "it", "also"} or words[i - 1].text in {",", ";"})
    ]
    edges = [0, *starts[1:], len(words)]
    return [words[a:b] for a, b in itertools.pairwise(edges)] if len(starts) > 1 else [words]


def _greedy(part: Sequence[Token]) -> bool:
    """Whether one reader would take such a part, and all that stands beside it, for its own."""
    return bool(computations.lemmas_of(part) & {"convert", "password"})


def _apart(parts: Sequence[Sequence[Token]], draft: Draft) -> bool:
    """Read what the software does one by one, and say of what is not known that it is not done."""
    found = []
    subject = next((t for part in parts for t in part if t.singular == "password"), None)
    for part in parts:
        own = part[: len(part) - (part[-1].low == "and" or part[-1].text == ",")]
        ones = subject is not None and {"ones", "them"} & {t.low for t in own}  # "and checks existing ones"
        meant = [*own, subject] if subject is not None and ones else own
        if conversions.conversion(own, draft) or passwords.password(meant, draft) or _several(own, draft):
            found.append(part)
            continue
        verb = next((i for i, t in enumerate(own) if t.verb in computations.COMPUTING and t.low.endswith("s")), 0)
        led = all(t.low in lexicon.PRONOUNS for t in own[:verb])
        draft.leave(own if led else own[verb:], further.NOTHING)
    return bool(found)


def _beside_password(words: Sequence[Token], draft: Draft) -> None:
    """Read what else a clause checks: "validates passwords, emails and phone numbers"."""
    verb = next((t for t in words if t.verb in computations.COMPUTING), None)
    for segment in named.segments(words):
        if not further.unfound(segment.words, passwords.VOCABULARY):
            continue
        if not _several([*([verb] if verb is not None else []), *segment.words], draft):
            draft.leave(segment.words, further.NOTHING)


def _beside_conversion(words: Sequence[Token]) -> list[Token]:
    """Give what else a clause asks for: "computes the median of numbers and converts miles to kilometres"."""
    at = next((i for i, t in enumerate(words) if t.verb == "convert"), None)
    if at is None:
        return []
    further = (
        i
        for i in range(at + 1, len(words))
        if words[i].verb in computations.COMPUTING and words[i - 1].low in {"and", ","}
    )
    rest = [*words[:at], *words[next(further, len(words)) :]]
    return rest if any(t.verb in computations.COMPUTING for t in rest) else []


def read_part(words: Sequence[Token], draft: Draft) -> bool:
    """Read a part of an enumeration for what it wants computed."""
    return _several(words, draft)


def read_exact(words: Sequence[Token], draft: Draft) -> bool:
    """Read what a part of an enumeration names in so many words that nothing else can be meant: "round half up"."""
    return catalogued.exactly(words, draft)


def _several(words: Sequence[Token], draft: Draft) -> bool:
    """Read codes, arithmetic, named formulas and what the catalogue names, which may stand in one clause."""
    known = predicates.read(words, draft)
    known = codes.coded(words, draft) or known or named.arithmetic(words, draft) or named.by_name(words, draft)
    return catalogued.in_catalogue(words, draft, whole=not known) or known


def without_presumed(draft: Draft) -> None:
    """Take back what was only presumed to be wanted, now that the whole request is read."""
    catalogued.without_presumed(draft)


def restricts(clause: Clause, draft: Draft) -> bool:
    """Read what is said of the arguments of computations: "negative numbers are refused"."""
    return (
        arguments.absolute_zero(clause.words, draft)
        or arguments.refused(clause.words, draft)
        or arguments.bounded(clause.words, draft)
        or arguments.used(clause.words, draft)
        or arguments.rounded(clause.words, draft)
    )
