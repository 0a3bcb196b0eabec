"""Finds the verb of a clause, and so its parts: subject, verb, complement, conditions.

Promises: total and linear in the clause's length (a subject is searched for a bounded number of tokens). Does not
know what the software is about: entities
are recognised later, in the parts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology
from functions.neuron.reading.quantities import is_number
from functions.neuron.reading.tokens import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token

_SUBJECT_LIMIT: Final = 24
_SPLITTING: Final = lexicon.words("if when whenever unless while once because provided")
_TIMELY: Final = frozenset(["before", "after", "until", "till", "since"])
_FINITE_HELPERS: Final = (
    lexicon.MODALS | (lexicon.BE - {"being", "been", "be"}) | (lexicon.HAVE - {"having"}) | {"do", "does", "do-not"}
)
_PERMISSIONS: Final = lexicon.words("allowed able permitted free required supposed expected forbidden prohibited")
_WISHES: Final = frozenset({"want", "wants", "wish", "wishes", "like", "need"})
_CHANGING: Final = frozenset({"change", "edit", "modify", "alter"})
_RECORDING: Final = frozenset({"record", "store", "log", "note", "save", "capture"})
_LETTING: Final = frozenset(["let", "allow", "enable", "permit", "help"])


@dataclass(frozen=True)
class VerbGroup:
    """The verb of a clause with its helpers. `start` and `end` are token positions."""

    start: int
    end: int
    verbs: tuple[str, ...]
    form: str = ""  # the (first) main verb as it stands
    modal: str | None = None
    negated: bool = False
    only: bool = False
    passive: bool = False

    @property
    def verb(self) -> str:
        """The first verb's base form."""
        return self.verbs[0]


@dataclass(frozen=True)
class Frame:
    """A clause taken apart. An imperative has no subject."""

    subject: tuple[Token, ...]
    group: VerbGroup
    rest: tuple[Token, ...]
    conditions: tuple[tuple[str, tuple[Token, ...]], ...] = field(default=())

    @property
    def verb(self) -> str:
        """The main verb's base form."""
        return self.group.verb

    @property
    def modal(self) -> str | None:
        """can, must, may … or None."""
        return self.group.modal

    @property
    def negated(self) -> bool:
        """Whether the clause forbids or denies."""
        return self.group.negated or bool(self.subject and self.subject[0].low in {"no", "neither", "nobody", "none"})

    @property
    def only(self) -> bool:
        """Whether the clause restricts its subject or verb by "only"."""
        return self.group.only or bool(self.subject and self.subject[0].low == "only")


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
        or token.low in _SPLITTING
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
        word not in lexicon.NOUN_VERBS
        or phrasal
        or _begins_complement(tokens, i + 1)
        or _compound_object(tokens, at, i)
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
    return determined and (_begins_complement(tokens, i + 1) or i + 1 == len(tokens)) and word != "has"


_BEGINS_COMPLEMENT_WORDS: Final = lexicon.words(
    "at up out more only for to from in into by through between them it twice once on as with new which when "
    "something everything"
)


def _begins_complement(tokens: Sequence[Token], at: int) -> bool:
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
    if word in lexicon.NOUN_VERBS:
        coordinated = (
            word in lexicon.OPERATION_VERBS and following.low in {",", "and", "or"} and _verb_follows(tokens, at + 1)
        )
        return (
            _begins_complement(tokens, at + 1) and following.low not in {"for", "in", "with", "as", "on", "by"}
        ) or coordinated
    return following.low not in _FINITE_HELPERS and following.low not in {"of", "by"}


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


def verb_group(tokens: Sequence[Token], at: int) -> VerbGroup:
    """Read the verb whose first word stands at `at`, with its helpers, negation and coordinated verbs."""
    i, modal, negated, only, be = at, None, False, False, False
    while i < len(tokens):
        word = tokens[i].low
        if word in lexicon.NEGATIONS or (word == "neither" and i > at):
            negated = True
            modal = {"cannot": "can", "must-not": "must"}.get(word, modal)
            be = be or word == "is-not"
        elif word in lexicon.MODALS:
            modal = "must" if word == "needs" else word
            if word == "needs" and not (i + 1 < len(tokens) and tokens[i + 1].low == "to"):
                return VerbGroup(at, i + 1, ("need",), word, None, negated, only)
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
    return _main_verb(tokens, at, i, VerbGroup(at, i, ("be",), "", modal, negated, only, be))


def _auxiliary(tokens: Sequence[Token], i: int, modal: str | None) -> bool:
    """Whether "do" or "to" helps another verb; in "cannot do more than five inspections" it is the verb itself."""
    if tokens[i].low not in {"do", "does", "to"} or i + 1 >= len(tokens):
        return False
    return tokens[i].low != "do" or modal is None or not _begins_complement(tokens, i + 1)


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


def _main_verb(tokens: Sequence[Token], at: int, i: int, group: VerbGroup) -> VerbGroup:
    be = group.passive
    word = tokens[i].low if i < len(tokens) else ""
    ends = group.modal is not None and i + 1 >= len(tokens)
    follows = i + 1 < len(tokens) and tokens[i + 1].low in lexicon.PREPOSITIONS
    unknown = word.endswith("ed") and len(word) > 5 and (ends or follows)
    if be and not (word and (morphology.is_participle(word) or unknown)):
        return VerbGroup(at, i, ("be",), "be", group.modal, group.negated, group.only, passive=False)
    if not word or tokens[i].kind is Kind.PUNCTUATION:
        return VerbGroup(at, i, ("be",), "", group.modal, group.negated, group.only, passive=False)
    possessed = word == "got" and i > at and tokens[i - 1].low in lexicon.HAVE
    verbs, end = ["have" if possessed else morphology.guessed_base(word)], i + 1
    end = _particle(tokens, end, verbs)
    while (following := _coordinated(tokens, end, passive=be)) is not None:
        verbs.append(morphology.guessed_base(tokens[following].low))
        end = _particle(tokens, following + 1, verbs)
    return VerbGroup(at, end, tuple(verbs), word, group.modal, group.negated, group.only, passive=be)


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


def parse(tokens: Sequence[Token]) -> Frame | None:
    """Take a clause apart; None when it has no verb."""
    tokens = _strip_lead(tokens)
    tokens = tokens[_possibility(tokens) :]
    tokens, conditions = _leading_condition(tokens)
    if not tokens:
        return None
    if imperative_at(tokens, 0) and finite_verb(tokens, 0, conjoined=False) is None:
        group = verb_group(tokens, 0)
        subject: tuple[Token, ...] = ()
    else:
        at = finite_verb(tokens, 0, conjoined=True)
        if at is None:
            return None
        subject, group = tuple(tokens[:at]), verb_group(tokens, at)
    return _letting(Frame(subject, group, tuple(tokens[group.end :]), tuple(conditions)))


def _possibility(tokens: Sequence[Token]) -> int:
    """Give where the order begins in "it should also be possible to delete a workout"; 0 where there is none."""
    if not tokens or tokens[0].low != "it":
        return 0
    passed = lexicon.MODALS | lexicon.BE | lexicon.ADVERBS
    at = next((i for i in range(1, len(tokens)) if tokens[i].low not in passed), len(tokens))
    denied = {t.low for t in tokens[:at]} & lexicon.NEGATIONS
    led = [t.low for t in tokens[at : at + 2]] == ["possible", "to"]
    return at + 2 if led and not denied and imperative_at(tokens, at + 2) else 0


def _letting(frame: Frame) -> Frame:
    """Read "lets users add tasks" and "allows members to borrow books" as "users can add tasks"."""
    if frame.verb not in _LETTING or frame.group.passive:
        return _with_conditions(frame)
    for i in range(1, min(len(frame.rest), 8)):
        token = frame.rest[i]
        if token.low == "to" or (token.verb == token.low and not morphology.is_plural(token.low)):
            start = i + 1 if token.low == "to" else i
            if start >= len(frame.rest) or frame.rest[start].kind is not Kind.WORD:
                break
            inner = verb_group(frame.rest, start)
            group = VerbGroup(
                inner.start,
                inner.end,
                inner.verbs,
                inner.form,
                "can",
                frame.group.negated,
                frame.group.only,
                inner.passive,
            )
            return _with_conditions(Frame(frame.rest[:i], group, frame.rest[inner.end :], frame.conditions))
    return _with_conditions(frame)


_STRIP_LEAD_WORDS: Final = lexicon.words("and but or , so here addition there")


def _strip_lead(tokens: Sequence[Token]) -> Sequence[Token]:
    i = 0
    leads = lexicon.ADVERBS - {"only", "both", "either", "never"} | _STRIP_LEAD_WORDS
    while i < len(tokens) - 1 and (
        tokens[i].low in leads - {"there"}
        or tokens[i].kind in {Kind.BULLET, Kind.BREAK}
        or (tokens[i].low == "in" and tokens[i + 1].low == "addition")
        or tokens[i].text in {",", ":", "-", "\u2013", "—"}
    ):
        if tokens[i].low == "get":
            break
        i += 1
    return tokens[i:]


def _leading_condition(tokens: Sequence[Token]) -> tuple[Sequence[Token], list[tuple[str, tuple[Token, ...]]]]:
    if not tokens or tokens[0].low not in _SPLITTING | _TIMELY | {"as"}:
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
    "another is given", "i give another", "i give one", "nothing else was",
)  # fmt: skip


def _any(behind: Sequence[Token]) -> bool:
    """Whether "if" is followed by "they have one", "it has any", "there is one", "any", "known"."""
    lows = [t.low for t in behind[:3]]
    said = " ".join(t.low for t in behind[:5])
    if said.startswith(_ABSENT):
        return True
    return lows[:1] in (["any"], ["known"], ["given"], ["available"]) or (
        lows[2:3] in (["one"], ["any"]) and lows[1] in {"have", "has", "is", "are"}
    )


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
    return morphology.is_participle(rest[at].low) or finite_verb(rest, at, conjoined=True) is not None


def _attributes(frame: Frame, rest: Sequence[Token], at: int) -> bool:
    """Whether what looks like a condition says something of what is listed."""
    low, before = rest[at].low, rest[at - 1] if at else None
    if low in {"if", "unless"}:
        return _any(rest[at + 1 :])  # "a phone number if they have one"
    if low == "when" and frame.verb in _RECORDING:
        return True  # "records when it left": what is recorded
    if frame.verb not in lexicon.HOLDING_VERBS or before is None:
        return False
    if low == "when":
        listed = before.low in {"and", ","}  # "an item has a name and when we bought it": a moment
        return listed or at_creation(rest, at) is not None or _stays(rest[:at])
    if low in {"while", "until", "till"}:
        return _between_commas(rest, at) or _stays(rest[:at])
    return low == "once" and before.verb in _CHANGING  # "a number that nobody may change once set"


def _with_conditions(frame: Frame) -> Frame:
    """Cut trailing conditions ("if …", "while …", "before it is returned") off the complement."""
    rest, found = list(frame.rest), list(frame.conditions)
    closed = -1
    for i, token in enumerate(rest):
        if token.text in {"(", "["}:
            closed = max(closed, close_of(rest, i))
        if i <= closed:
            continue
        if _attributes(frame, rest, i):
            continue
        cuts = (token.low in _SPLITTING and (token.low != "once" or _begins_condition(rest, i + 1))) or (
            token.low in _TIMELY and finite_verb(rest, i + 1, conjoined=True) is not None
        )
        long_as = token.low in {"long", "soon"} and i > 0 and rest[i - 1].low == "as"
        if cuts or long_as:
            start = i - 1 if (i > 0 and rest[i - 1].low in {"as", "only", ",", "even"}) else i
            body = rest[i + 2 :] if long_as else rest[i + 1 :]
            only = frame.group.only or (i > 0 and rest[i - 1].low == "only")
            group = VerbGroup(**{**vars(frame.group), "only": only})
            found.append(("if" if long_as else token.low, tuple(body)))
            return Frame(frame.subject, group, tuple(rest[:start]), tuple(found))
    return Frame(frame.subject, frame.group, frame.rest, tuple(found))
