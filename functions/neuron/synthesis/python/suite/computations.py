"""Writes the tests of computations: their known results, as functions and as commands."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.functions import ComputedExample, examples
from shared.software.specification import Computation, FieldType, OperationKind, Specification

if TYPE_CHECKING:
    from shared.software.designs import ApiDesign, CommandDesign


class ComputationTests:
    """The tests of a specification's computations as functions."""

    def __init__(self, specification: Specification) -> None:
        known = [(computation, examples(computation)) for computation in specification.computations]
        self._known = [(computation, found) for computation, found in known if found]

    @property
    def imported(self) -> list[str]:
        """Name the functions under test."""
        return [computation.name for computation, _ in self._known]

    @property
    def tests(self) -> list[str]:
        """Write the tests."""
        found = []
        for computation, known in self._known:
            results = [example for example in known if example.result is not None]
            refusals = [example for example in known if example.result is None]
            if results:
                lines = [f"def test_{computation.name}() -> None:"]
                found.append("\n".join([*lines, *(f"    {_assertion(computation, example)}" for example in results)]))
            if refusals:
                found.append("\n".join(_refusal_test(computation, refusals)))
        return found


def _assertion(computation: Computation, example: ComputedExample) -> str:
    call = f"{computation.name}({', '.join(example.arguments)})"
    if example.approximate:
        return f"assert {call} == pytest.approx({example.result})"
    if example.result in {"True", "False"}:
        return f"assert {call}" if example.result == "True" else f"assert not {call}"
    if example.result == "None":
        return f"assert {call} is None"
    if len(call) > _LONGEST_CALL:
        return f"result = {call}\n    assert result == {example.result}"
    return f"assert {call} == {example.result}"


_LONGEST_CALL = 100


def _refusal_test(computation: Computation, refusals: list[ComputedExample]) -> list[str]:
    lines = [f"def test_{computation.name}_refuses_what_it_cannot_compute() -> None:"]
    for example in refusals:
        lines.append('    with pytest.raises(ValueError, match=r"\\w"):')
        lines.append(f"        {computation.name}({', '.join(example.arguments)})")
    return lines


def program_tests(specification: Specification, api: ApiDesign) -> list[str]:
    """Write the tests of the commands that compute."""
    found = []
    for command in api.commands:
        computation = next((c for c in specification.computations if c.name == command.target), None)
        if command.operation is not OperationKind.COMPUTE or computation is None:
            continue
        for number, example in enumerate(examples(computation)[:3], start=1):
            test = _command_test(command, computation, example, number)
            if test:
                found.append("\n".join(test))
    return found


def _command_test(command: CommandDesign, computation: Computation, example: ComputedExample, number: int) -> list[str]:
    values = {argument.partition("=")[0]: argument.partition("=")[2] for argument in example.arguments}
    placed: list[str] = [names.text(command.name)] if command.name else []
    content = None
    plain = True
    lists = [parameter for parameter in computation.parameters if parameter.type is FieldType.LIST]
    for parameter in sorted(computation.parameters, key=lambda p: not p.required):
        if parameter.name not in values:
            continue
        try:
            value = ast.literal_eval(values[parameter.name])
        except ValueError:
            value = values[parameter.name].partition('("')[2].rstrip('")')
        if command.reads_file and parameter.type is FieldType.TEXT and content is None:
            content = str(value)
        elif isinstance(value, list):
            plain = (
                plain and len(lists) == 1 and len(value) > 0 and all(not str(item).startswith("-") for item in value)
            )
            placed += [names.text(str(item)) for item in value]
        elif parameter.required:
            plain = plain and not (isinstance(value, str) and value.startswith("-"))
            placed.append(names.text(str(value)))
        else:
            placed.append(names.text(f"--{parameter.name.replace('_', '-')}={value}"))
    if not plain or len(lists) > 1 or (lists and len(computation.parameters) > 1):
        return []
    return _command_lines(computation, example, number, placed, content)


def _command_lines(
    computation: Computation, example: ComputedExample, number: int, placed: list[str], content: str | None
) -> list[str]:
    name = f"{computation.name}_{number}"
    fixtures = ", tmp_path: Path" if content is not None else ""
    lines = [f"def test_{name}_from_the_command_line(capsys: pytest.CaptureFixture[str]{fixtures}) -> None:"]
    if content is not None:
        lines.append('    path = tmp_path / "input.txt"')
        lines.append(f'    path.write_text({names.text(content)}, encoding="utf-8")')
        placed = [*placed, "str(path)"]
    if example.result is None:
        lines += [
            f"    status, _, err = run(capsys, {', '.join(placed)})",
            "    assert status in {1, 2}",
            "    assert err",
        ]
        return lines
    lines.append(f"    status, out, _ = run(capsys, {', '.join([*placed, names.text('--json')])})")
    lines.append("    assert status == 0")
    if computation.returns in {FieldType.DATE, FieldType.DATETIME, FieldType.TIME, FieldType.DECIMAL}:
        return [*lines, "    assert out.strip()"]
    seen = "json.loads(out)"
    if example.approximate:
        return [*lines, f"    assert {seen} == pytest.approx({example.result})"]
    if example.result in {"True", "False", "None"}:
        return [*lines, f"    assert {seen} is {example.result}"]
    return [*lines, f"    assert {seen} == {example.result}"]


def service_tests(specification: Specification, api: ApiDesign) -> list[str]:
    """Write the tests of the operations that compute."""
    known = {computation.name: computation for computation in specification.computations}
    found = []
    for operation in api.operations:
        computation = known.get(operation.target or "")
        if operation.operation is not OperationKind.COMPUTE or computation is None:
            continue
        lines = [f"def test_{operation.name}_is_served(client: TestClient) -> None:"]
        for example in examples(computation)[:4]:
            values = _json(example)
            if values is None:
                continue
            given = "params" if operation.method == "GET" else "json"
            call = f"client.{operation.method.lower()}({names.text(operation.path)}, {given}={values})"
            if example.result is None:
                lines.append(f"    assert {call}.status_code == 422")
            elif computation.returns not in _UNCOMPARED:
                result = f"pytest.approx({example.result})" if example.approximate else example.result
                sign = "is" if example.result in {"True", "False", "None"} else "=="
                lines.append(f'    assert {call}.json()["result"] {sign} {result}')
        surprise = f'client.{operation.method.lower()}({names.text(operation.path)}, params={{"surprise": 1}})'
        lines.append(f"    assert {surprise}.status_code == 422")
        found.append("\n".join(lines))
    return found


_UNCOMPARED = frozenset({FieldType.DATE, FieldType.DATETIME, FieldType.TIME, FieldType.DECIMAL})


def _json(example: ComputedExample) -> str | None:
    """Write an example's arguments as a dictionary; None when they are no plain JSON."""
    parts = []
    for argument in example.arguments:
        name, _, value = argument.partition("=")
        if "(" in value and not value.startswith(("[", '"')):
            _, _, text = value.partition('("')
            value = f'"{text.rstrip(")")}' if ".fromisoformat" in value else text.rstrip('")')
        parts.append(f'"{name}": {value}')
    return f"{{{', '.join(parts)}}}"
