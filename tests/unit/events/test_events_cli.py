"""`hal9 events`: filters by hand, and what the commands on dead letters and publishing do without a platform."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from events import CloudEvent, codec
from knative.cli.main import main

EVENT = CloudEvent(id="1", source="/s", type="com.github.push", extensions={"n": 5, "text": "é"}, data=b"\x00")


@pytest.fixture
def event_file(tmp_path: Path) -> str:
    path = tmp_path / "event.json"
    path.write_bytes(codec.to_structured(EVENT))
    return str(path)


def run(*arguments: str, stdin: bytes | None = None, environment: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, ["events", *arguments], input=stdin, env=environment)


@pytest.mark.parametrize(
    ("expression", "value", "error", "code"),
    [
        ("n * 2", 10, None, 0),
        ("type LIKE '%push'", True, None, 0),
        ("text = 'é'", True, None, 0),
        ("UPPER(text)", "É", None, 0),
        ("false", False, None, 0),
        ("-10", -10, None, 0),
        ("--10", 10, None, 0),
        ("1 / 0", 0, "math", 1),
        ("'x' + 1", 0, "cast", 1),
        ("nothere", False, "missingAttribute", 1),
        ("NOTHERE()", False, "missingFunction", 1),
        ("LEFT('abc', -1)", "abc", "functionEvaluation", 1),
        ("ABS(-2147483648)", 2147483647, "math", 1),
        ("ABC(", False, "parse", 1),
        ("", False, "parse", 1),
    ],
)
def test_cesql(event_file: str, expression: str, value: Any, error: str | None, code: int) -> None:
    result = run("filter", "--cesql", expression, "--json", event_file)
    assert json.loads(result.stdout) == {"value": value, "error": error}
    assert result.exit_code == code
    plain = run("filter", "--cesql", expression, event_file)
    assert plain.exit_code == code
    assert plain.stdout.rstrip("\n") == (value if isinstance(value, str) else json.dumps(value))
    assert (f"error: {error}" in plain.stderr) is (error is not None)


def test_standard_input_and_exit_status(event_file: str) -> None:
    body = Path(event_file).read_bytes()
    assert run("filter", "--cesql", "n = 5", "-", stdin=body).stdout == "true\n"
    assert run("filter", "--cesql", "n = 6", event_file).exit_code == 0
    assert run("filter", "-e", "--cesql", "n = 6", event_file).exit_code == 1
    assert run("filter", "-e", "--cesql", "n", event_file).exit_code == 1
    assert run("filter", "-e", "--cesql", "n = 5", event_file).exit_code == 0


def test_filters(event_file: str, tmp_path: Path) -> None:
    path = tmp_path / "filter.json"
    path.write_text('[{"exact": {"type": "com.github.push"}}, {"not": {"cesql": "n > 5"}}]')
    result = run("filter", "--filter", str(path), "--json", event_file)
    assert json.loads(result.stdout) == {"value": True, "error": None}
    path.write_text('{"prefix": {"type": "org."}}')
    assert run("filter", "--filter", str(path), event_file).stdout == "false\n"
    assert run("filter", "-e", "--filter", str(path), event_file).exit_code == 1


def test_what_is_wrong_is_named_with_exit_code_2(event_file: str, tmp_path: Path) -> None:
    path = tmp_path / "filter.json"
    path.write_text('[{"exact": {"type": ""}}, {"x": 1}]')
    result = run("filter", "--filter", str(path), event_file)
    assert result.exit_code == 2
    assert "/0/exact/type: must be a string" in result.stderr
    assert "/1/x: is no dialect" in result.stderr
    path.write_text('{"exact": {"type": "a", "type": "b"}}')
    assert "name twice" in run("filter", "--filter", str(path), event_file).stderr
    bad = tmp_path / "bad.json"
    bad.write_text('{"specversion": "1.0", "id": "", "Foo": 1}')
    result = run("filter", "--cesql", "true", str(bad))
    assert result.exit_code == 2
    assert all(name in result.stderr for name in ("/id", "/source", "/type", "/Foo"))
    for arguments in (
        ("--cesql", "true", str(tmp_path / "nothere")),
        (event_file,),
        ("--cesql", "1", "--filter", str(path), event_file),
        ("--filter", "-", "-"),
    ):
        assert run("filter", *arguments).exit_code == 2
    assert (
        "standard input holds no valid filter" in run("filter", "--filter", "-", event_file, stdin=b'{"x": 1}').stderr
    )


def test_publish_checks_events_before_it_calls_anyone(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('[{"specversion": "1.0", "id": "1", "source": "/", "type": "t"}, {"id": 1}]')
    result = run("publish", str(bad))
    assert result.exit_code == 2
    assert "/1/id: event 1: id must be a string" in result.stderr


def test_without_a_platform_the_commands_say_what_to_do(event_file: str, tmp_path: Path) -> None:
    nobody = {"HAL9_HOME": str(tmp_path), "HAL9_URL": "", "HAL9_API_KEY": ""}
    for arguments in (("publish", event_file), ("dead-letters", "list"), ("dead-letters", "show", "0" * 32)):
        result = run(*arguments, environment=nobody)
        assert result.exit_code == 1
        assert "hal9 up" in result.stderr
    assert run("dead-letters", "show", "no-uuid").exit_code == 2


def test_the_generated_reference_of_events_is_current() -> None:
    from knative.reference import ROOT, asyncapi

    stale = [str(path) for path, content in asyncapi.files().items() if (ROOT / path).read_bytes() != content]
    assert stale == [], "run `hal9 reference`"
    schemas = {path.name for path in (ROOT / asyncapi.SCHEMAS).glob("*.json")}
    assert schemas == {path.name for path in asyncapi.files() if path.parent == asyncapi.SCHEMAS}


def test_schemas_say_what_the_models_say() -> None:
    import jsonschema

    from events import catalogue
    from knative.reference import asyncapi

    for known in catalogue.types().values():
        jsonschema.Draft202012Validator.check_schema(asyncapi.schema(known))
    requested = catalogue.types()["ai.hal9.codegen.project.requested"]
    validator = jsonschema.Draft202012Validator(asyncapi.schema(requested))
    assert validator.is_valid({"request": "A library"})
    assert not validator.is_valid({"request": ""})
    assert not validator.is_valid({"request": "x", "more": 1})


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    from knative.reference import asyncapi

    document = asyncapi.document()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                place: Any = document
                for part in value["$ref"].removeprefix("#/").split("/"):
                    place = place[part]
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(document)
    assert document["asyncapi"] == "3.0.0"
    receives = [one for one in document["operations"].values() if one["action"] == "receive"]
    assert {one["channel"]["$ref"] for one in receives} >= {"#/channels/ai.hal9.neuron.step.requested"}
