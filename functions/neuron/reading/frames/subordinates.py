"""Reads conditions in front of a clause and behind it, and tells them from what only says something of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology
from functions.neuron.reading.frames import parts, verbs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token
_TIMELY: Final = frozenset(["before", "after", "until", "till", "since"])
_CHANGING: Final = frozenset({"change", "edit", "modify", "alter"})
_MOMENTS: Final = frozenset({"time", "date", "moment", "day"})
_RECORDING: Final = frozenset({"record", "store", "log", "note", "save", "capture"})


def leading(tokens: Sequence[Token]) -> tuple[Sequence[Token], list[tuple[str, tuple[Token, ...]]]]:
    """Cut a condition off the front: "if it is late, …"; gives what is left and the condition."""
    if not tokens or tokens[0].low not in verbs.SPLITTING | _TIMELY | {"as"}:
        return tokens, []
    for i, token in enumerate(tokens):
        if token.text == "," and i > 1:
            return tokens[i + 1 :], [(tokens[0].low, tuple(tokens[1:i]))]
        helped = i + 1 < len(tokens) and tokens[i + 1].low in lexicon.MODALS | lexicon.BE
        if token.low in {"it", "they"} and helped and i > _SHORTEST_CONDITION:
            return tokens[i:], [(tokens[0].low, tuple(tokens[1:i]))]
        if token.low in {"no", "nobody", "nothing"} and i > 1 and tokens[0].low in _TIMELY:
            return tokens[i:], [(tokens[0].low, tuple(tokens[1:i]))]
    return tokens, []


_SHORTEST_CONDITION: Final = 3

_ABSENT: Final = (
    "not given", "it is not given", "none is given", "nothing is given", "omitted", "left out", "it is left out",
    "it is omitted", "not specified", "it is not specified", "it is missing", "missing",
    "stated otherwise", "otherwise stated", "agreed otherwise", "otherwise agreed",
    "specified otherwise", "otherwise specified", "specified", "nothing else is", "nothing is said", "told otherwise",
    "told something else", "set otherwise", "i say otherwise", "i say something else", "something else is",
    "it is-not given", "none is-not given", "it is-not said", "it is-not specified",
    "another is given", "i give another", "i give one", "nothing else was",
)  # fmt: skip


def _any(behind: Sequence[Token]) -> bool:
    """Whether "if" is followed by "they have one", "it has any", "there is one", "any", "known"."""
    lows = [t.low for t in behind[:3]]
    said = " ".join(t.low for t in behind[:5])
    if said.startswith(_ABSENT) or _otherwise(behind):
        return True
    return lows[:1] in (["any"], ["known"], ["given"], ["available"]) or (
        lows[2:3] in (["one"], ["any"]) and lows[1] in {"have", "has", "is", "are"}
    )


def _otherwise(behind: Sequence[Token]) -> bool:
    """Whether "unless" is followed by "chosen otherwise" or "otherwise agreed"."""
    said = [t.low for t in behind[:2]]
    return len(said) > 1 and "otherwise" in said and any(morphology.is_participle(low) for low in said)


def _stays(before: Sequence[Token]) -> bool:
    """Whether it was said that a value is missing for a while: "which stays empty", ", empty"."""
    lows = [token.low for token in before[-4:]]
    return bool({"which", "that"} & set(lows) or lows[-2:-1] == [","]) and lows[-1] in {
        "empty",
        "blank",
        "unset",
        "missing",
        "open",
    }


def _between_commas(rest: Sequence[Token], at: int) -> bool:
    comma = next((i for i in range(at + 1, len(rest)) if rest[i].text == ","), None)
    return (
        at > 0
        and rest[at - 1].text == ","
        and comma is not None
        and [t.low for t in rest[comma + 1 : comma + 2]] == ["no"]
    )


def at_creation(tokens: Sequence[Token], at: int) -> int | None:
    """Give where "when a rider signs up", "when it is created" ends: words for the moment at which a thing begins."""
    if at + 1 >= len(tokens) or tokens[at].low != "when":
        return None
    i = at + 1
    while (
        i < len(tokens) and i - at <= _FEW and (tokens[i].low in lexicon.DETERMINERS | lexicon.PRONOUNS or i == at + 2)
    ):
        if tokens[i].verb in _BEGINNING:
            break
        i += 1
    i += i < len(tokens) and tokens[i].low in lexicon.BE
    i += i < len(tokens) and tokens[i].low in {"first", "newly"}
    if i >= len(tokens) or tokens[i].verb not in _BEGINNING:
        return None
    return i + 1 + (i + 1 < len(tokens) and tokens[i + 1].low in {"up", "it", "one"})


_FEW: Final = 3
_BEGINNING: Final = lexicon.words("sign join register create add enrol enter begin open make")


def _begins_condition(rest: Sequence[Token], at: int) -> bool:
    """Whether "once" begins a condition ("once it is shipped", "once shipped") rather than counts ("once per poll")."""
    if at >= len(rest):
        return False
    return morphology.is_participle(rest[at].low) or verbs.finite_verb(rest, at, conjoined=True) is not None


def _attributes(frame: parts.Frame, rest: Sequence[Token], at: int) -> bool:
    """Whether what looks like a condition says something of what is listed."""
    low, before = rest[at].low, rest[at - 1] if at else None
    if low in {"if", "unless"}:
        return _any(rest[at + 1 :])  # "a phone number if they have one"
    if low == "when" and frame.verb in _RECORDING:
        return True  # "records when it left": what is recorded
    if frame.verb not in lexicon.HOLDING_VERBS or before is None:
        return False
    if low == "when" and before.low in _MOMENTS and at > 1 and rest[at - 2].low in lexicon.ARTICLES:
        return True  # "a time when it was finished": a moment
    if low == "when":
        listed = before.low in {"and", ","}  # "an item has a name and when we bought it": a moment
        return listed or at_creation(rest, at) is not None or _stays(rest[:at])
    if low in {"while", "until", "till"}:
        return _between_commas(rest, at) or _stays(rest[:at])
    if low == "once" and at + 1 < len(rest) and morphology.is_participle(rest[at + 1].low):
        return at + 2 >= len(rest) or rest[at + 2].text == ","  # "a finishing time once played": missing before
    return low == "once" and before.verb in _CHANGING  # "a number that nobody may change once set"


def _of_pronoun(rest: Sequence[Token], at: int) -> bool:
    """Whether "they start" stands at a position and ends the sentence, whose verb is a noun as well."""
    return at + 2 == len(rest) and rest[at].low in {"it", "they"} and rest[at + 1].verb is not None


def trailing(frame: parts.Frame) -> parts.Frame:
    """Cut trailing conditions ("if …", "while …", "before it is returned") off the complement."""
    rest, found = list(frame.rest), list(frame.conditions)
    closed = -1
    for i, token in enumerate(rest):
        if token.text in {"(", "["}:
            closed = max(closed, verbs.close_of(rest, i))
        if i <= closed:
            continue
        if _attributes(frame, rest, i):
            continue
        cuts = (token.low in verbs.SPLITTING and (token.low != "once" or _begins_condition(rest, i + 1))) or (
            token.low in _TIMELY
            and (verbs.finite_verb(rest, i + 1, conjoined=True) is not None or _of_pronoun(rest, i + 1))
        )
        long_as = token.low in {"long", "soon"} and i > 0 and rest[i - 1].low == "as"
        if cuts or long_as:
            start = i - 1 if (i > 0 and rest[i - 1].low in {"as", "only", ",", "even"}) else i
            body = rest[i + 2 :] if long_as else rest[i + 1 :]
            only = frame.group.only or (i > 0 and rest[i - 1].low == "only")
            group = parts.VerbGroup(**{**vars(frame.group), "only": only})
            found.append(("if" if long_as else token.low, tuple(body)))
            return parts.Frame(frame.subject, group, tuple(rest[:start]), tuple(found))
    return parts.Frame(frame.subject, frame.group, frame.rest, tuple(found))
