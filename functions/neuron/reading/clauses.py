"""Splits a request into sentences, and these into clauses: the smallest parts that say something of their own.

Promises: every token belongs to exactly one clause, in order; what is not covered by a clause is white space,
punctuation or a conjunction. A clause that
borrows its subject from the one before ("… and is due after 14 days") carries it in `lead`; the lines of a list carry
the line that introduces it in `header`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import frames, lexicon, morphology, quantities
from functions.neuron.reading.tokens import Kind, Token

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIVING: Final = frozenset({"start", "begin", "become", "go", "move", "turn", "change", "pass"})
_ENDS: Final = frozenset(".!?;")
_KIND_WORDS: Final = lexicon.words(
    "command api apis service backend back-end server microservice app application system tool cli program library "
    "package module script utility website platform web rest software project command-line tracker manager "
    "calculator converter"
)
_HEADINGS: Final = lexicon.words(
    "rule rules constraint constraints requirement requirements feature features entity entities note notes "
    "command commands endpoint endpoints model models resource resources field fields data details validation "
    "behaviour behavior functionality operations specification spec logic following functions domain results "
    "statistics reports"
)
_DASHES: Final = frozenset({"—", "\u2013", "--", "-"})


@dataclass(frozen=True)
class Clause:
    """A clause: its tokens, and what it takes from its neighbours."""

    tokens: tuple[Token, ...]
    lead: tuple[Token, ...] = ()
    header: tuple[Token, ...] = ()
    heading: tuple[Token, ...] = ()  # a heading in front of it ("Rules:"), which says nothing of its own
    intro: bool = False  # says what is asked for: "An API for a library"

    @property
    def start(self) -> int:
        """The offset of its first code point."""
        return (self.heading or self.tokens)[0].start

    @property
    def end(self) -> int:
        """The offset behind its last code point."""
        return self.tokens[-1].end

    @property
    def words(self) -> tuple[Token, ...]:
        """What is to be read: its tokens behind those that it takes from the clause before."""
        return (*self.lead, *self.tokens)


def split(tokens: Sequence[Token]) -> list[Clause]:
    """Give the clauses of the tokens of a request."""
    found: list[Clause] = []
    heading: tuple[Token, ...] = ()
    for i, (whole, header) in enumerate(_sentences(tokens)):
        sentence, front = _without_heading(whole)
        heading = (*heading, *front)
        if _is_heading(sentence):
            heading = (*heading, *sentence)
            continue
        opens = i == 0 or (i < _LATEST_REQUEST and _requests(sentence))
        made = _clauses(sentence, header, first=opens and not header)
        if made and heading:
            made[0] = Clause(made[0].tokens, made[0].lead, made[0].header, heading, made[0].intro)
            heading = ()
        found += made
    if heading:
        found.append(Clause(heading))
    return found


_POLITE: Final = lexicon.words("please now so would like to could can you me us kindly just")
_LATEST_REQUEST: Final = 4
_REQUESTING: Final = lexicon.words("build create make write develop implement design need want")


def _requests(sentence: Sequence[Token]) -> bool:
    """Whether a sentence behind the first one asks for the software: "We rent out tools. Build an API with …"."""
    words = [token.low for token in sentence[:6] if token.low not in _POLITE]
    if words[:1] in (["i"], ["we"]):
        words = words[1:]
    return bool(words) and words[0] in _REQUESTING and any(token.low in _KIND_WORDS for token in sentence[:10])


def _without_heading(sentence: list[Token]) -> tuple[list[Token], tuple[Token, ...]]:
    """Take a heading off the front of a sentence: "Commands: add an item, …"."""
    colon = next((i for i, t in enumerate(sentence[:4]) if t.text == ":"), None)
    if colon is None or colon + 1 >= len(sentence) or not _is_heading(sentence[:colon]):
        return sentence, ()
    return sentence[colon + 1 :], tuple(sentence[:colon])


def _is_heading(sentence: Sequence[Token]) -> bool:
    words = [token for token in sentence if token.is_word]
    return len(words) <= 4 and bool(words) and words[-1].low in _HEADINGS and sentence[-1].is_word


@dataclass
class _Sentences:
    """The sentences as they are found, with the line that introduces the list that they stand in."""

    found: list[tuple[list[Token], tuple[Token, ...]]]
    header: tuple[Token, ...] = ()
    bulleted: bool = False

    def end(self, sentence: list[Token], *, listed: bool = False) -> None:
        """Take a sentence that is complete; `listed`: the lines of a list follow it."""
        stripped = _strip(sentence)
        if listed and _names_things(stripped):
            self.found.append((stripped, ()))
            self.header = tuple(stripped)
            return
        if stripped:
            self.found.append((stripped, self.header if self.bulleted else ()))
        if stripped and sentence[-1].text == ":":
            self.header = tuple(stripped)
        elif sentence and not self.bulleted:
            self.header = ()

    def line(self, token: Token) -> None:
        """Take note of a mark of a list, or of a line's end."""
        if token.kind is Kind.BULLET:
            self.bulleted = not token.text.strip().startswith("#")
            self.header = self.header if self.bulleted else ()
        elif token.kind is Kind.BREAK:
            self.bulleted = False


def _sentences(tokens: Sequence[Token]) -> list[tuple[list[Token], tuple[Token, ...]]]:
    sentences = _Sentences([])
    current: list[Token] = []
    depth = 0
    for i, token in enumerate(tokens):
        depth = max(0, depth + (token.text in {"(", "["}) - (token.text in {")", "]"}))
        hard = token.kind is Kind.BULLET or (token.kind is Kind.BREAK and _is_hard(tokens, i))
        if token.text == ";" and depth == 0 and _lists_on(current, tokens, i + 1):
            current.append(replace(token, text=","))
        elif hard or (token.text in _ENDS and depth == 0 and _ends_sentence(tokens, i)):
            depth = 0
            sentences.end(current, listed=_list_follows(tokens, i))
            current = []
            sentences.line(token)
        elif token.kind is not Kind.BREAK:
            current.append(token)
    sentences.end(current)
    return sentences.found


def _lists_on(before: Sequence[Token], tokens: Sequence[Token], at: int) -> bool:
    """Whether what stands behind a semicolon goes on with what a thing has: "hives have a number; a location; …"."""
    verb = frames.finite_verb(before, 0)
    if verb is None or frames.verb_group(before, verb).verb not in {"have", "contain", "include", "carry", "hold"}:
        return False
    end = next((i for i in range(at, len(tokens)) if tokens[i].text in _ENDS), len(tokens))
    said = [token for token in tokens[at:end] if token.kind is not Kind.BREAK]
    start = 1 if said and said[0].low == "and" else 0
    listed = start < len(said) and (
        said[start].low in {"a", "an"} or quantities.phrase(said, start, "by default") is not None
    )
    return bool(listed) and frames.finite_verb(said, start) is None


def _list_follows(tokens: Sequence[Token], at: int) -> bool:
    """Whether the line that ends at a position stands right above a list."""
    while at < len(tokens) and tokens[at].kind is Kind.BREAK:
        at += 1
    return at < len(tokens) and tokens[at].kind is Kind.BULLET and not tokens[at].text.strip().startswith("#")


def _names_things(line: Sequence[Token]) -> bool:
    """Whether a line is nothing but a noun in the plural: the name of what the list below it describes."""
    words = [token for token in line if token.is_word]
    plain = 0 < len(words) == len(line) <= _LONGEST_NAME and morphology.is_plural(words[-1].low)
    return plain and words[-1].low not in _HEADINGS


_LONGEST_NAME: Final = 3


def _strip(sentence: list[Token]) -> list[Token]:
    start, end = 0, len(sentence)
    while start < end and sentence[start].kind is Kind.PUNCTUATION and sentence[start].text not in {"(", "["}:
        start += 1
    while end > start and sentence[end - 1].kind is Kind.PUNCTUATION and sentence[end - 1].text not in {")", "]"}:
        end -= 1
    while start < end and sentence[start].low in {"and", "but", "or"}:
        start += 1
    return sentence[start:end] if any(token.kind is not Kind.PUNCTUATION for token in sentence[start:end]) else []


def _ends_sentence(tokens: Sequence[Token], i: int) -> bool:
    if tokens[i].text != "." or i + 1 >= len(tokens):
        return True
    return tokens[i + 1].start > tokens[i].end


def _is_hard(tokens: Sequence[Token], i: int) -> bool:
    """Whether a line end ends a sentence: an empty line, a list behind it, or a next line that begins anew."""
    if tokens[i].text.count("\n") > 1 or i == 0 or i + 1 >= len(tokens):
        return True
    before, following = tokens[i - 1], tokens[i + 1]
    if following.kind is Kind.BULLET or before.text in {":", *_ENDS} or _begins_label(tokens, i + 1):
        return True
    if (
        before.text == ","
        or before.low
        in lexicon.CONJUNCTIONS
        | lexicon.DETERMINERS
        | lexicon.PREPOSITIONS
        | lexicon.BE
        | lexicon.HAVE
        | lexicon.MODALS
    ):
        return False
    return following.text[:1].isupper() and (following.text[1:2].islower() or following.kind is Kind.PATH)


def _begins_label(tokens: Sequence[Token], at: int) -> bool:
    """Whether a line begins with a name and a colon: "lanes: number, distance"."""
    colon = next((i for i in range(at + 1, min(at + 5, len(tokens))) if tokens[i].text == ":"), None)
    return colon is not None and all(token.is_word for token in tokens[at:colon])


def _clauses(sentence: list[Token], header: tuple[Token, ...], *, first: bool) -> list[Clause]:
    made: list[Clause] = []
    start = 0
    lead: tuple[Token, ...] = ()
    while start < len(sentence):
        end, following, following_lead, is_intro = _next(sentence, start, lead, first=first and not made)
        is_intro = is_intro or (first and not made and _asks(sentence[start:end]))
        is_intro = is_intro or (first and bool(lead) and _wants(sentence[start:end]))
        part = _strip(sentence[start:end])
        if part:
            made.append(Clause(tuple(part), lead, header, intro=is_intro))
        start, lead = max(following, start + 1), following_lead
    return made


_ASKS_WORDS: Final = lexicon.words(
    "build create make write design develop implement need want like give generate produce have look provide"
)


def _asks(sentence: Sequence[Token]) -> bool:
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
    return group.verb in _ASKS_WORDS and (
        verb_at == 0 or needs or sentence[0].low in {"i", "we", "please", "you", "our", "my", "let's", "lets"}
    )


def _wants(part: Sequence[Token]) -> bool:
    """Whether the first sentence goes on with what is wanted: "I keep plants and want an API for them"."""
    return part[0].verb in {"want", "need"} and any(token.low in _KIND_WORDS for token in part[:6])


def _next(
    sentence: list[Token], start: int, lead: tuple[Token, ...], *, first: bool
) -> tuple[int, int, tuple[Token, ...], bool]:
    """Give where the clause that begins at `start` ends, where the next one begins, what that one borrows."""
    if first and (split_at := _introduction(sentence, start)) is not None:
        return (*split_at, (), True)
    whole = [*lead, *sentence[start:]]
    shift = start - len(lead)
    subordinate = sentence[start].low in lexicon.SUBORDINATORS
    imperative = not lead and frames.imperative_at(whole, 0) and not _told(whole)
    verb_at = 0 if imperative else frames.finite_verb(whole, 0, conjoined=True)
    if verb_at is None and subordinate:
        verb_at = frames.finite_verb(whole, 1, conjoined=True)
    if verb_at is None:
        return _verbless(sentence, start)
    group = frames.verb_group(whole, verb_at)
    subject = tuple(whole[:verb_at])
    i = max(group.end + shift, start + 1)
    while i < len(sentence):
        token = sentence[i]
        if token.text in {"(", "["}:
            i = frames.close_of(sentence, i) + 1
            continue
        after = _behind_separator(sentence, i)
        if after is None:
            i += 1
            continue
        if subordinate and token.text == ",":
            subordinate = False
            verb_at = frames.finite_verb(sentence, after, conjoined=False)
            if verb_at is not None:
                subject, group = tuple(sentence[after:verb_at]), frames.verb_group(sentence, verb_at)
                i = group.end
                continue
        borrowed = _borrowed(sentence, after, subject, group, imperative=imperative, whole=whole)
        if borrowed is not None:
            return i, after, borrowed, False
        i = after
    return len(sentence), len(sentence), (), False


def _told(whole: Sequence[Token]) -> bool:
    """Whether what looks like an order is a noun: "repair jobs are for a car"."""
    return (
        len(whole) > _SHORTEST
        and morphology.is_plural(whole[1].low)
        and whole[2].low in lexicon.BE | lexicon.HAVE | lexicon.MODALS
    )


_SHORTEST: Final = 3


def _verbless(sentence: list[Token], start: int) -> tuple[int, int, tuple[Token, ...], bool]:
    for i in range(start + 1, len(sentence)):
        if (
            sentence[i].text in {",", ";"}
            and frames.finite_verb(sentence, i + 1) is not None
            and not _colon_before(sentence, start, i)
        ):
            return i, i + 1, (), False
        if sentence[i].text in {",", ";"} and _restriction(sentence, i + 1):
            return i, i + 1, (), False
    return len(sentence), len(sentence), (), False


_RESTRICTED: Final = lexicon.words("more two overlapping overlaps double duplicate duplicates same")


def _restriction(sentence: list[Token], at: int) -> bool:
    """Whether a rule without a verb begins: "only once each", "never more bookings than seats", "no overlaps"."""
    if at + 1 >= len(sentence):
        return False
    low, following = sentence[at].low, sentence[at + 1].low
    return (low in {"only", "never", "not"} and following in {"once", "one", *_RESTRICTED}) or (
        low == "no" and following in _RESTRICTED
    )


def _colon_before(sentence: list[Token], start: int, end: int) -> bool:
    return any(token.text == ":" for token in sentence[start:end])


_BEHIND_SEPARATOR_WORDS_2: Final = lexicon.words("and but or so then also additionally while whereas")


_BEHIND_SEPARATOR_WORDS: Final = lexicon.words("and but or so while whereas where then")


def _behind_separator(sentence: list[Token], i: int) -> int | None:
    """Give the position behind the separator at `i` (commas, conjunctions and adverbs); None when there is none."""
    if sentence[i].low in {"where", "while"} and i > 0 and sentence[i - 1].text != ",":
        return None
    if sentence[i].text not in {",", ":", *_DASHES} and sentence[i].low not in _BEHIND_SEPARATOR_WORDS:
        return None
    after = i + 1
    while after < len(sentence) and (
        sentence[after].text in {",", *_DASHES} or sentence[after].low in _BEHIND_SEPARATOR_WORDS_2
    ):
        after += 1
    if after + 1 < len(sentence) and sentence[after].low == "to" and sentence[after + 1].low in lexicon.OPERATION_VERBS:
        after += 1  # "I'd like to add yarns, and to list them"
    return after if after < len(sentence) else None


def _borrowed(
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
    """The modal and negation of a verb, which hold for a coordinated one as well."""
    return tuple(t for t in whole[group.start : group.end] if t.low in lexicon.MODALS | lexicon.NEGATIONS | {"only"})


_DETERMINED: Final = frozenset({"to", "from", "at", "up", "something", "money"})


def _is_third_person(sentence: list[Token], at: int) -> bool:
    token = sentence[at]
    if token.verb in {None, "default"} or token.low == token.verb or not token.low.endswith("s"):
        return False
    following = sentence[at + 1] if at + 1 < len(sentence) else None
    determined = following is not None and following.low in lexicon.DETERMINERS | _DETERMINED
    return determined or (
        token.verb not in lexicon.NOUN_VERBS and following is not None and following.text not in {",", "and", "or"}
    )


_WISHES: Final = frozenset({"want", "need"})


def _is_plural_verb(sentence: list[Token], at: int, subject: tuple[Token, ...]) -> bool:
    token = sentence[at]
    lasts = token.low in {"last", "run"} and at + 1 < len(sentence) and sentence[at + 1].low == "from"
    if (
        token.verb != token.low
        or (token.low in lexicon.NOUN_VERBS and not lasts)
        or not (morphology.is_plural(subject[-1].low) or (subject[-1].low in {"i", "we"} and token.low in _WISHES))
    ):
        return False
    return at + 1 < len(sentence) and (
        sentence[at + 1].low in lexicon.DETERMINERS | lexicon.PREPOSITIONS
        or token.low in {"contain", "include", "need", "require"}
    )


def _introduction(sentence: list[Token], start: int) -> tuple[int, int] | None:
    """Give where an introduction ("An API for a library:") ends and where what follows begins."""
    for i in range(start, len(sentence)):
        token = sentence[i]
        if token.text in {"(", "["}:
            continue
        if (
            token.text == ":"
            or (token.text in _DASHES and i > start + 2)
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
