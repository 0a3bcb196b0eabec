"""Finds out what is asked for as a whole: a service, a program or a library, and what it is called."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import formulas, lexicon, morphology, structures
from shared.software.specification import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.clauses import Clause
    from functions.neuron.reading.tokens import Token

_API: Final = lexicon.words(
    "api apis rest http endpoint endpoints backend back-end server microservice restful web-api"
)
_SERVICE: Final = lexicon.words("service application app system platform website webapp portal")
_COMMAND: Final = frozenset(["cli", "command-line", "terminal", "shell", "tui", "console"])
_PROGRAM: Final = frozenset(["tool", "program", "utility", "script"])
_LIBRARY: Final = frozenset(["package", "module", "sdk", "library", "lib"])
_LENDING: Final = lexicon.words(
    "lending public city local university school community music photo media book toy tool municipal national "
    "town digital game video seed a-lending college"
)
_NOISE: Final = lexicon.words(
    "an a the for to of i want wants need needs would like please build create make write me us simple small rest http "
    "api apis service backend server with that which python command line command-line cli tool program "
    "library package module application app system web some typed restful microservice in and where develop "
    "implement design let lets we could you give your my full new terminal utility script based is should "
    "json crud it users people keeps track manage manages managing tracking handling handles storing stores "
    "organising organizing recording records provide provides providing allow allows helps offers functions "
    "function on by software pls needed over thanks hi hello i'd we'd i'm we're love lib shell console both "
    "direction directions ways tiny little"
)


def kind(tokens: Sequence[Token], clauses: Sequence[Clause]) -> tuple[Kind, bool]:
    """Give what is asked for, and whether the request says so."""
    head = [t.low for clause in clauses[:2] for t in clause.tokens][:60]
    everything = [t.low for t in tokens]
    text = " ".join(everything)
    if _is_toolbox(head, tokens):
        return Kind.LIBRARY, True
    told = next((i for i, word in enumerate(head) if word in _API), len(head))
    typed = next((i for i, word in enumerate(head) if word in _COMMAND), len(head))
    if typed < told or re.search(r"\bcommand[ -]line\b", " ".join(head)):
        return Kind.COMMAND_LINE, True
    if _API & set(head):
        return Kind.API, True
    if clauses and _only_library(clauses[0]) and not _LENDS & set(everything):
        return Kind.LIBRARY, True
    if _is_library(clauses[:2]) and not {"api", "rest", "http"} & set(everything):
        return Kind.LIBRARY, True
    if _PROGRAM & set(head[:25]):
        return Kind.COMMAND_LINE, True
    if _COMMAND & set(everything) or "command line" in text:
        return Kind.COMMAND_LINE, True
    if _API & set(everything) or _SERVICE & set(head):
        return Kind.API, True
    return Kind.API, False


_TOOLBOX: Final = lexicon.words("library lib package module class classes sdk helpers toolkit toolbox")
_MODULE_WORDS: Final = lexicon.words("python pip importable reusable utility typed")
_TECHNICAL: Final = lexicon.words(
    "validator validators validation string strings text math maths mathematics number numbers statistics statistical "
    "date dates calendar conversion conversions converter unit units temperature temperatures roman algorithm "
    "algorithms sorting search cipher encoding finance financial geometry combinatorics case slug prime primes "
    "structures formatting rounding parsing distance python utility helpers functions"
)


def _is_toolbox(head: Sequence[str], tokens: Sequence[Token]) -> bool:
    """Whether a library of functions or data structures is asked for, whatever else its text mentions."""
    first = next((i for i, word in enumerate(head) if word in _TOOLBOX), None)
    other = next((i for i, word in enumerate(head) if word in _API | _COMMAND | _SERVICE), len(head))
    if first is not None and first < other and head[first] not in {"class", "classes"}:
        before = set(head[:first])
        if before & (_TECHNICAL | _MODULE_WORDS) and head[max(0, first - 1)] not in _LENDING:
            return True
    spoken = bool(structures.named(tokens[:40]) or structures.unavailable(tokens[:40]))
    named_first = first is not None and first < other
    asked = named_first or bool(_MODULE_WORDS & set(head)) or "data structure" in " ".join(head)
    served = other <= (first or 0) or bool(_OF_SERVICES & set(head))
    return spoken and asked and not served


_LENDS: Final = lexicon.words(
    "borrow borrows borrowed borrower borrowers lend lends lent loan loans member members book books reader readers"
)


def _only_library(clause: Clause) -> bool:
    """Whether a clause says "a library" and nothing else, so that no lending library needs to be meant."""
    return only_kind(clause) and bool({token.low for token in clause.tokens} & _LIBRARY)


_OF_SERVICES: Final = lexicon.words("endpoint endpoints backend back-end microservice restful web-api")


def names_kind(clause: Clause) -> bool:
    """Whether a clause names a kind of software."""
    return any(token.low in _API | _SERVICE | _COMMAND | _PROGRAM | _LIBRARY for token in clause.tokens)


_WITH_KINDS: Final = lexicon.words(
    "json an a the it as in with over using via please thanks make made build should be python only of all pls needed"
)


def only_kind(clause: Clause) -> bool:
    """Whether a clause says nothing but the kind of software: "REST API", "API with JSON", "make it an HTTP API"."""
    words = {token.low for token in clause.tokens if token.is_word}
    kinds = _API | _COMMAND | _PROGRAM | _LIBRARY | _SERVICE | {"web", "command", "line"}
    return bool(words & kinds) and words <= kinds | _WITH_KINDS


_IS_LIBRARY_WORDS: Final = lexicon.words("python a small typed reusable pure utility importable")


def _is_library(clauses: Sequence[Clause]) -> bool:
    """Whether "library", "package" or "module" is the head of what is asked for, rather than a lending library."""
    for clause in clauses:
        words = [token.low for token in clause.tokens]
        for i, word in enumerate(words):
            before, after = words[i - 1] if i else "", words[i + 1] if i + 1 < len(words) else ""
            if word in {"package", "module", "sdk"} and before in _IS_LIBRARY_WORDS:
                return True
            if (
                word in {"library", "lib"}
                and before not in _LENDING
                and (after in _BEHIND or before in {"python", "typed", "utility", "pure"})
            ):
                return bool(after) or before not in {"a", "the", ""}
    return False


_BEHIND: Final = frozenset(
    [
        "",
        "please",
        "pls",
        "for",
        "of",
        "that",
        "which",
        "with",
        "to",
        "providing",
        "offering",
        "where",
        "named",
        "called",
    ]
)


_ASKING: Final = frozenset({"whether", "if"})
_MATERIAL: Final = lexicon.words(
    "text texts string strings number numbers file files line lines word words list lists value values date dates"
)
_OF_COMPUTED: Final = re.compile(r"^(?:is|are|to|from)_(?=[a-z])")


def _does_unknown(tokens: Sequence[Token]) -> bool:
    """Whether the software does something by a verb that is not known: "which rounds half up"."""
    return tokens[0].low in {"that", "which"} and len(tokens) > 1 and tokens[1].verb is None


def title(request: str, clauses: Sequence[Clause], entities: Sequence[str], computed: Sequence[str]) -> tuple[str, str]:
    """Give the name (an identifier) and the title of the software."""
    quoted = next(
        (
            t.text
            for clause in clauses[:2]
            for i, t in enumerate(clause.tokens)
            if t.kind.value == "quoted" and i and clause.tokens[i - 1].low in {"called", "named"}
        ),
        None,
    )
    called = next(
        (
            clause.tokens[i + 1].text
            for clause in clauses[:2]
            for i, t in enumerate(clause.tokens[:-1])
            if t.low in {"called", "named"} and clause.tokens[i + 1].is_word and clause.intro
        ),
        None,
    )
    chosen = quoted or called
    intro = next((clause for clause in clauses[:1] if clause.intro or not entities), None)
    words: list[str] = []
    if chosen:
        words = [chosen]
    elif intro is not None:
        for at, token in enumerate(intro.tokens):
            unknown = bool(computed) and not entities and _does_unknown(intro.tokens[at : at + 2])
            if (token.low in {"that", "which", "where", "to"} and words) or token.low in _ASKING or unknown:
                break
            inflected = (
                token.verb is not None
                and (token.low != token.verb or token.verb not in lexicon.NOUN_VERBS)
                and not (words or token.low.endswith("ing"))
            )
            if (
                token.is_word
                and not inflected
                and token.low not in _NOISE | lexicon.DETERMINERS | lexicon.PREPOSITIONS | lexicon.CONJUNCTIONS
            ):
                words.append(token.low)
            if len(words) == 4:
                break
    if not entities and len(computed) == 1 and not chosen and set(words) <= _MATERIAL | formulas.UNIT_WORDS.keys():
        words = []
    if not words and not entities and computed:
        words = [_OF_COMPUTED.sub("", computed[0]).replace("_", " ")]
    if not words:
        words = [morphology.plural(name).replace("_", " ") for name in entities[:2]] or ["software"]
    name = morphology.name(*words)[:40].strip("_") or "software"
    return name, " ".join(words).replace("_", " ").strip().capitalize() or request[:40]
