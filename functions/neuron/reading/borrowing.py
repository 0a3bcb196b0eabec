"""What a clause borrows from the one before it: its subject, its helpers; and what only goes on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import frames, lexicon, morphology
from functions.neuron.reading.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIVING: Final = frozenset({"start", "begin", "become", "go", "move", "turn", "change", "pass"})


def borrowed(
    sentence: list[Token],
    after: int,
    subject: tuple[Token, ...],
    group: frames.VerbGroup,
    *,
    imperative: bool,
    whole: Sequence[Token],
) -> tuple[Token, ...] | None:
    """Give what a clause that begins at `after` borrows from the one before (often nothing)."""
    token = sentence[after]
    if _goes_on(sentence, after, group):
        return None
    if token.low in lexicon.SUBORDINATORS - {"where", "while"}:
        return () if _own_subordinate(sentence, after) else None
    if token.low in lexicon.RELATIVES:
        return None
    if (
        token.low in lexicon.MODALS | (lexicon.BE - {"being", "been", "be"}) | lexicon.HAVE - {"having"} | {"do-not"}
        and subject
    ):
        return None if _in_relative(sentence, after) else subject
    follows_list = (
        imperative
        or group.modal in {"can", "may", "must", "should", "will"}
        or group.verb in {"let", "allow", "enable"}
        or (bool(subject) and subject[-1].low in {"i", "you"} and group.modal is None)
    )
    if follows_list and frames.imperative_at(sentence, after):
        if imperative or not subject:
            return ()
        return (*subject, *_helpers(whole, group))
    if group.verb in _LIVING and token.verb in _LIVING:
        return None
    if (
        subject
        and group.modal is None
        and (
            _is_third_person(sentence, after)
            or _is_plural_verb(sentence, after, subject)
            or _says_what(sentence, after)
            or _acts_on_it(sentence, after)
        )
    ):
        return subject
    if frames.finite_verb(sentence, after) is not None:
        return ()
    return None


def _goes_on(sentence: list[Token], after: int, group: frames.VerbGroup) -> bool:
    """Whether what stands at `after` still belongs to the clause, whatever it looks like.

    "A priority from 1 to 5, default 3", "records when it left", "until the manager approves or rejects them".
    """
    token = sentence[after]
    lacking = token.low in {"empty", "blank", "missing", "unset"} and after + 1 < len(sentence)
    if lacking and sentence[after + 1].low in {"until", "till", "while"}:
        return True  # "a discharge date, empty until the patient goes home"
    begins = token.verb in {"begin", "start", "default"} and token.low.endswith("s") and _in_relative(sentence, after)
    if begins and group.verb in lexicon.HOLDING_VERBS:
        return True  # "a stock which never falls below zero and begins at 0"
    told = token.low in {"whether", "when"} and group.verb in lexicon.HOLDING_VERBS | _SAYING
    deeds = sentence[after - 1].low == "or" and token.verb is not None and _subordinate_before(sentence, after)
    return told or deeds or token.low == "default"


def _acts_on_it(sentence: list[Token], at: int) -> bool:
    """Whether "stop it" begins here: the subject does something further with what was spoken of."""
    token = sentence[at]
    return token.verb == token.low and at + 1 < len(sentence) and sentence[at + 1].low in {"it", "them"}


def _says_what(sentence: list[Token], at: int) -> bool:
    """Whether "say how many guests come" begins here."""
    return sentence[at].verb in _SAYING and at + 1 < len(sentence) and sentence[at + 1].low in _WHAT_IS_SAID


_WHAT_IS_SAID: Final = frozenset({"how", "which", "when", "who", "whether"})
_SAYING: Final = frozenset({"say", "tell", "note", "state"})


def _in_relative(sentence: list[Token], after: int) -> bool:
    """Whether what is conjoined at `after` still belongs to a relative clause."""
    for i in range(after - 1, max(after - 12, 0), -1):
        if sentence[i].text == ",":
            return False
        if (
            sentence[i].low in {"which", "that"}
            and i > 1
            and (noun := sentence[i - 1 - (sentence[i - 1].text == ",")]).is_word
            and not morphology.is_plural(noun.low)
        ):
            return True
    return False


def _subordinate_before(sentence: list[Token], after: int) -> bool:
    """Whether a subordinate clause has begun behind the last comma."""
    for i in range(after - 1, 0, -1):
        if sentence[i].text == ",":
            return False
        if sentence[i].low in lexicon.SUBORDINATORS:
            return frames.finite_verb(sentence, i + 1) is not None
    return False


def _own_subordinate(sentence: list[Token], after: int) -> bool:
    comma = next((i for i in range(after, len(sentence)) if sentence[i].text == ","), None)
    return (
        comma is not None
        and frames.finite_verb(sentence, comma + 1) is not None
        and frames.finite_verb(sentence, after + 1) is not None
    )


def _helpers(whole: Sequence[Token], group: frames.VerbGroup) -> tuple[Token, ...]:
    """The modal and negation of a verb, which hold for a coordinated one as well; so does "want to"."""
    said = whole[group.start : group.end]
    helpers = tuple(t for t in said if t.low in lexicon.MODALS | lexicon.NEGATIONS | {"only"})
    wanted = group.modal is not None and len(said) > 1 and said[-2].low == "to"
    return tuple(said[:-1]) if wanted and not helpers else helpers


_DETERMINED: Final = frozenset({"to", "from", "at", "up", "something", "money"})


def _is_third_person(sentence: list[Token], at: int) -> bool:
    token = sentence[at]
    if token.verb in {None, "default"} or token.low == token.verb or not token.low.endswith("s"):
        return False
    following = sentence[at + 1] if at + 1 < len(sentence) else None
    determined = following is not None and following.low in lexicon.DETERMINERS | _DETERMINED
    timely = (
        token.verb in _LASTING and following is not None and following.low in {"when", "on"}
    )  # "ends when it leaves"
    return (
        determined
        or timely
        or (token.verb not in lexicon.NOUN_VERBS and following is not None and following.text not in {",", "and", "or"})
    )


_LASTING: Final = frozenset({"start", "begin", "end", "finish"})
_WISHES: Final = frozenset({"want", "need"})


_KEEPING: Final = lexicon.words("record store hold carry need require show name cover")


def _is_plural_verb(sentence: list[Token], at: int, subject: tuple[Token, ...]) -> bool:
    token = sentence[at]
    lasts = token.low in {"last", "run"} and at + 1 < len(sentence) and sentence[at + 1].low == "from"
    following = sentence[at + 1].low if at + 1 < len(sentence) else ""
    records = token.low in _KEEPING and following in lexicon.ARTICLES  # "inspections are done … and record the date"
    if (
        token.verb != token.low
        or (token.low in lexicon.NOUN_VERBS and not (lasts or records))
        or not (morphology.is_plural(subject[-1].low) or (subject[-1].low in {"i", "we"} and token.low in _WISHES))
    ):
        return False
    return at + 1 < len(sentence) and (
        sentence[at + 1].low in lexicon.DETERMINERS | lexicon.PREPOSITIONS
        or token.low in {"contain", "include", "need", "require"}
    )
