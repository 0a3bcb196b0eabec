"""A process for tests: it counts the letters of lines of words, as a tree over the three layers, and has an auditor
check the sum.

Words have meanings, so that a request says what shall happen: see `_count`. It is a customer's own process: the runtime
has never heard of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from shared.neurons import (
    L2,
    L3,
    L4,
    Backward,
    Body,
    Child,
    Complete,
    Fail,
    Outcome,
    Process,
    Question,
    Result,
    Signal,
    Spawn,
    Work,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Lines(_Model):
    lines: list[str]
    audit: bool = False


class Line(_Model):
    words: list[str]


class Word(_Model):
    word: str


class Count(_Model):
    letters: int
    note: str = ""


class Total(_Model):
    letters: int
    audited: bool = False
    failures: dict[str, str] = {}


class Ledger(_Model):
    lines: list[str]
    letters: int


class Report(_Model):
    honest: bool
    found: int


class Memo(_Model):
    letters: int


def chief(work: Work[Lines]) -> Result[Total]:
    """Spawn a clerk for each line, then perhaps an auditor, then add up."""
    if work.phase == 0:
        if not work.input.lines:
            return Complete(Total(letters=0))
        return Spawn([Child(f"line{n}", "clerk", Line(words=line.split())) for n, line in enumerate(work.input.lines)])
    if work.phase == 1:
        clerks = {key: child for key, child in work.children.items() if key.startswith("line")}
        letters = sum(_letters(child) for child in clerks.values())
        if not work.input.audit:
            return Complete(Total(letters=letters))
        return Spawn(
            [Child("audit", "auditor", Ledger(lines=work.input.lines, letters=letters))], Memo(letters=letters)
        )
    audit = work.children["audit"]
    if audit.exhausted:
        return Fail("the books are wrong", "not-audited", Total(letters=work.memo.letters))
    assert isinstance(audit.output, Report)
    assert audit.output.found == work.memo.letters
    return Complete(Total(letters=work.memo.letters, audited=audit.output.honest))


def _letters(child: Outcome) -> int:
    return child.output.letters if isinstance(child.output, Count) else 0


def clerk(work: Work[Line]) -> Result[Count]:
    """Spawn a counter for each word, then add up; words that begin with `maybe` are optional."""
    if work.phase == 0:
        if not work.input.words:
            return Complete(Count(letters=0))
        return Spawn(
            [
                Child(f"word{n}", "counter", Word(word=word), optional=word.startswith("maybe"))
                for n, word in enumerate(work.input.words)
            ]
        )
    return Complete(Count(letters=sum(_letters(child) for child in work.children.values())))


def counter(work: Work[Word]) -> Result[Count]:
    """Count, as `_count` says."""
    return _count(work)


def _count(work: Work[Word]) -> Result[Count]:
    word = work.input.word
    if work.thought is not None:
        return Complete(work.thought.value)
    special: dict[str, Callable[[], Result[Count]]] = {
        "fail": lambda: Fail("this word cannot be counted", "uncountable"),
        "maybefail": lambda: Fail("this word cannot be counted", "uncountable"),
        "deep": lambda: Spawn([Child("deeper", "counter", Word(word="deep"))]),
        "wide": lambda: Spawn([Child(f"w{n}", "counter", Word(word="x")) for n in range(10_000)]),
        "twice": lambda: Spawn([Child("same", "counter", Word(word="x")), Child("same", "counter", Word(word="y"))]),
        "endless": lambda: Spawn([Child(f"again{work.phase}", "counter", Word(word="x"))]),
        "stranger": lambda: Spawn([Child("who", "nobody", Word(word="x"))]),
        "wrong": lambda: Complete(Word(word="not a count")),  # type: ignore[arg-type]
        "nul": lambda: Complete(Count(letters=1, note="a\0b")),
        "surrogate": lambda: Complete(Count(letters=1, note="\ud800")),
        "mistyped": lambda: Complete(Count.model_construct(letters="one", note="")),  # type: ignore[arg-type]
        "blame": lambda: Backward([Signal(blame_step="../..", diagnostic="the chief is to blame")]),
    }
    if word == "boom":
        raise RuntimeError("a bug in a body, with a secret in its text")
    if word == "lie" and work.revision == 0:
        return Complete(Count(letters=99))
    if word == "liar":
        return Complete(Count(letters=99))
    return special[word]() if word in special else Complete(Count(letters=len(word)))


def ask(work: Work[Word]) -> Question[Count] | None:
    """Ask about words that begin with `think`; only a model can answer about `thinkhard`."""
    word = work.input.word
    if not word.startswith("think"):
        return None
    return Question(
        Count,
        "Count letters.",
        f"How many letters has {word}?",
        None if word == "thinkhard" else lambda: Count(letters=len(word)),
    )


TALLY = Process(
    "tally",
    "Counts letters.",
    "chief",
    (
        Body("chief", L4, Lines, Total, "Adds up lines.", work=chief, memo=Memo),
        Body("clerk", L3, Line, Count, "Adds up words.", work=clerk),
        Body("counter", L2, Word, Count, "Counts a word.", work=counter, question=ask),
        Body("auditor", "auditor", Ledger, Report, "Counts again.", deadline_seconds=30, attempts=3),
        Body("absent", L2, Word, Count, "Is not there.", unavailable="Counting in Klingon is not available yet."),
    ),
    exhausted="settle",
)


def audit(ledger: Ledger) -> tuple[str, Report, list[Signal]]:
    """What the delegated auditor answers: outcome, report, signals."""
    wrong = [
        Signal(
            blame_step=f"/line{number}/word{place}",
            contract_path="/letters",
            diagnostic=f"{word} was miscounted",
            hint="count",
        )
        for number, line in enumerate(ledger.lines)
        for place, word in enumerate(line.split())
        if word in {"lie", "liar"}
    ]
    honest = sum(len(word) for line in ledger.lines for word in line.split() if word != "maybefail")
    report = Report(honest=honest == ledger.letters, found=ledger.letters)
    return ("completed", report, []) if report.honest else ("backward", report, wrong)
