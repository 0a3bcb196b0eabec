"""Tells what a request opens with: that software is asked for, and where what it should do begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import frames, lexicon
from functions.neuron.reading.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Sequence
_KIND_WORDS: Final = lexicon.words(
    "command api apis service backend back-end server microservice app application system tool cli program library "
    "package module script utility website platform web rest software project command-line tracker manager "
    "calculator converter"
)
DASHES: Final = frozenset({"—", "\u2013", "--", "-"})


_POLITE: Final = lexicon.words("please now so would like to could can you me us kindly just")
LATEST_REQUEST: Final = 4
_REQUESTING: Final = lexicon.words("build create make write develop implement design need want")


def requests(sentence: Sequence[Token]) -> bool:
    """Whether a sentence behind the first one asks for the software: "We rent out tools. Build an API with …"."""
    words = [token.low for token in sentence[:6] if token.low not in _POLITE]
    if words[:1] in (["i"], ["we"]):
        words = words[1:]
    return bool(words) and words[0] in _REQUESTING and any(token.low in _KIND_WORDS for token in sentence[:10])


_ASKS_WORDS: Final = lexicon.words(
    "build create make write design develop implement need want like give generate produce have look provide"
)


def asks(sentence: Sequence[Token]) -> bool:
    """Whether a first clause only says what is asked for: "Build a REST API for a gym"."""
    if [token.low for token in sentence[:2]] in (["let", "us"], ["could", "you"], ["can", "you"], ["would", "you"]):
        return any(token.low in _KIND_WORDS for token in sentence)
    if not any(token.low in _KIND_WORDS for token in sentence):
        return (
            len(sentence) <= 6
            and all(token.is_word for token in sentence)
            and frames.finite_verb(sentence, 0) is None
            and not frames.imperative_at(sentence, 0)
        )
    verb_at = 0 if frames.imperative_at(sentence, 0) else frames.finite_verb(sentence, 0, conjoined=True)
    if verb_at is None:
        return not any(token.text == ":" for token in sentence)
    group = frames.verb_group(sentence, verb_at)
    wanted = [token.low for token in sentence[group.end : group.end + 4]]
    needs = group.verb in {"need", "want"} and wanted[:1] in (["a"], ["an"]) and bool(set(wanted) & _KIND_WORDS)
    if wished(sentence) is not None:
        return True
    return group.verb in _ASKS_WORDS and (
        verb_at == 0 or needs or sentence[0].low in {"i", "we", "please", "you", "our", "my", "let's", "lets"}
    )


def wished(sentence: Sequence[Token]) -> tuple[int, int] | None:
    """Give where "results" stands in "a club wants to enter results through an API"; None in other sentences."""
    verb_at = frames.finite_verb(sentence, 0, conjoined=True)
    if verb_at is None or any(token.low in lexicon.RELATIVES for token in sentence[:verb_at]):
        return None
    end = frames.verb_group(sentence, verb_at).end
    if not any(token.verb in {"want", "need", "like"} for token in sentence[verb_at:end]):
        return None
    through = (
        i
        for i, token in enumerate(sentence[:-_BEHIND_THROUGH])
        if i > end and token.low in _THROUGH and sentence[i + 1].low in {"a", "an"}
    )
    at = next((i for i in through if any(word.low in _KIND_WORDS for word in sentence[i + 2 : i + 5])), None)
    return (end, at) if at is not None else None


_THROUGH: Final = lexicon.words("through via over with by in using")
_BEHIND_THROUGH: Final = 2  # tokens at least: "an API"


def wants(part: Sequence[Token]) -> bool:
    """Whether the first sentence goes on with what is wanted: "I keep plants and want an API for them"."""
    return part[0].verb in {"want", "need"} and any(token.low in _KIND_WORDS for token in part[:6])


_LONGEST_LABEL: Final = 5


def _behind_label(sentence: Sequence[Token], start: int) -> int:
    """Pass over what the software is for in front of the request: "warehouse bins: I need a backend in which …"."""
    label = next(
        (i for i in range(start + 1, min(start + _LONGEST_LABEL, len(sentence))) if sentence[i].text == ":"), 0
    )
    asks_behind = bool(label) and requests(sentence[label + 1 :])
    return label + 1 if asks_behind and not any(t.low in _KIND_WORDS for t in sentence[start:label]) else start


def introduction(sentence: list[Token], start: int) -> tuple[int, int] | None:
    """Give where an introduction ("An API for a library:") ends and where what follows begins."""
    start = _behind_label(sentence, start)
    for i in range(start, len(sentence)):
        token = sentence[i]
        if token.text in {"(", "["}:
            continue
        if (
            token.text == ":"
            or (token.text in DASHES and i > start + 2)
            or token.low in {"where", "in"}
            or token.text == ","
        ):
            if not any(word.low in _KIND_WORDS or word.singular in _KIND_WORDS for word in sentence[start:i]):
                if token.text == ":":
                    verbless = (
                        i - start >= 2
                        and frames.finite_verb(sentence, start) is None
                        and not frames.imperative_at(sentence, start)
                    )
                    begins = frames.finite_verb(sentence, i + 1) is not None or frames.imperative_at(sentence, i + 1)
                    return (i, i + 1) if verbless and begins and sentence[start].low in lexicon.ARTICLES else None
                continue
            after = i + 2 if token.low == "in" and i + 1 < len(sentence) and sentence[i + 1].low == "which" else i + 1
            if token.low == "in" and after == i + 1:
                continue
            if (
                token.text == ","
                and frames.finite_verb(sentence, after) is None
                and not (after < len(sentence) and sentence[after].low == "where")
            ):
                continue
            verb_at = frames.finite_verb(sentence, start)
            listing = (
                token.text == ":" and frames.imperative_at(sentence, after) and sentence[start].low in lexicon.ARTICLES
            )
            asking = (
                verb_at is not None
                and sentence[start].low in {"i", "we", "i'd", "please"}
                and frames.verb_group(sentence, verb_at).verb in _ASKS_WORDS
            )
            if (
                verb_at is not None
                and verb_at < i
                and not frames.imperative_at(sentence, start)
                and not listing
                and not asking
            ):
                return None
            if token.text == "," and after < len(sentence) and sentence[after].low == "where":
                after += 1
            return (i, after) if after < len(sentence) else None
    return None
