"""How a project of a language is checked: the commands of its own linter, type checker and tests, and how to read them.

The tools are installed before (`hal9 toolchains install`, or in the image), so that nothing is downloaded while
verifying. Promises: a fault names a file of the project and a line where the tool does. A check whose output
cannot be read still fails, with its output and no fault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from shared.software.verification import CheckName, Fault

_MYPY_LINE: Final = re.compile(r"^(?P<path>[^:\n]+\.py):(?P<line>\d+)(?::\d+)?: error: (?P<message>.*)$", re.MULTILINE)
_TRACEBACK_LINE: Final = re.compile(r"^(?P<path>[\w./-]+\.py):(?P<line>\d+): ", re.MULTILINE)
_UNFORMATTED: Final = re.compile(r"^Would reformat: (?P<path>.+)$", re.MULTILINE)
_PASSED: Final = re.compile(r"\b(\d+) passed\b")
_MESSAGE_LENGTH: Final = 2000

Reader = Callable[[str, Path], tuple[Fault, ...]]
"""(what the tool printed, the project's folder) -> the faults that it names."""


@dataclass(frozen=True)
class Step:
    """One check: its arguments after the toolchain's interpreter, and how to read what it prints."""

    name: CheckName
    arguments: tuple[str, ...]
    read: Reader


@dataclass(frozen=True)
class Toolchain:
    """What verifies projects of one language."""

    home: Path
    steps: tuple[Step, ...]

    @property
    def interpreter(self) -> Path:
        """The toolchain's Python."""
        return self.home / "bin" / "python"


class ToolchainMissingError(Exception):
    """The toolchain of a language is not installed; the text says what to run."""


def toolchain(language: str, folder: Path) -> Toolchain:
    """Give the toolchain of a language.

    Args:
        language: such as `python`.
        folder: what holds a folder for each language.

    Raises:
        ToolchainMissingError: It is not installed here.
    """
    home = folder / language
    if language not in _STEPS or not (home / "bin" / "python").exists():
        raise ToolchainMissingError(
            f"no toolchain for {language} is installed: run `hal9 toolchains install {language}`"
        )
    return Toolchain(home, _STEPS[language])


def tests_passed(output: str) -> int:
    """Read from pytest's last line how many tests passed."""
    found = _PASSED.findall(output)
    return int(found[-1]) if found else 0


def _lint_faults(output: str, project: Path) -> tuple[Fault, ...]:
    try:
        found = json.loads(output[output.index("[") : output.rindex("]") + 1])
    except ValueError:
        return ()
    return tuple(
        Fault(
            path=_inside(entry["filename"], project),
            line=entry["location"]["row"],
            message=f"{entry['code']} {entry['message']}"[:_MESSAGE_LENGTH],
        )
        for entry in found
    )


def _format_faults(output: str, project: Path) -> tuple[Fault, ...]:
    return tuple(
        Fault(path=_inside(match["path"], project), message="is not formatted as the project's formatter would")
        for match in _UNFORMATTED.finditer(output)
    )


def _type_faults(output: str, project: Path) -> tuple[Fault, ...]:
    return tuple(
        Fault(path=_inside(match["path"], project), line=int(match["line"]), message=match["message"][:_MESSAGE_LENGTH])
        for match in _MYPY_LINE.finditer(output)
    )


def _test_faults(output: str, project: Path) -> tuple[Fault, ...]:
    """Blame the deepest file of the project in each failing test's traceback.

    And the test's own file when there is none.
    """
    report = project / ".report.xml"
    if (
        not report.is_file()
        or report.stat().st_size > 4 << 20
        or "<!" in (text := report.read_text("utf-8", "replace"))
    ):
        return ()
    try:
        cases = ET.fromstring(text).iter("testcase")  # noqa: S314 - no document type declaration is in it
    except ET.ParseError:
        return ()
    del output
    return tuple(
        _test_fault(case, problem) for case in cases for problem in case if problem.tag in {"failure", "error"}
    )


def _test_fault(case: ET.Element, problem: ET.Element) -> Fault:
    trace = problem.text or problem.get("message") or ""
    places = [match for match in _TRACEBACK_LINE.finditer(trace) if not match["path"].startswith(("/", ".venv"))]
    own = case.get("file") or case.get("classname", "").replace(".", "/") + ".py"
    path, line = (places[-1]["path"], int(places[-1]["line"])) if places else (own, int(case.get("line", "0")))
    message = f"{case.get('name')}: {problem.get('message', '')}\n{trace}"
    return Fault(path=path, line=line, message=message[:_MESSAGE_LENGTH])


def _inside(path: str, project: Path) -> str:
    return path.removeprefix(f"{project}/").removeprefix("./")


_STEPS: Final[dict[str, tuple[Step, ...]]] = {
    "python": (
        Step(CheckName.FORMAT, ("-m", "ruff", "format", "--check", "--no-cache", "."), _format_faults),
        Step(CheckName.LINT, ("-m", "ruff", "check", "--no-cache", "--output-format", "json", "."), _lint_faults),
        Step(CheckName.TYPES, ("-m", "mypy"), _type_faults),
        Step(
            CheckName.TESTS,
            ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "--junitxml=.report.xml"),
            _test_faults,
        ),
    ),
}
