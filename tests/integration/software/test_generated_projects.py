"""Generated projects, judged by their own checks and from outside.

The projects' linter, formatter, type checker and tests run in the toolchain. A service is then judged by a client that
knows nothing of the generator: bad input, rules, many at once, a restart.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from functions.neuron.reading.reader import read
from functions.neuron.synthesis.python.shares import implement
from shared.software.designs import ImplementerInput, Share
from shared.software.source import SourceTree
from shared.software.specification import Kind
from tests.unit.software import specification_samples as samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from shared.software.specification import Specification

ROOT = Path(__file__).resolve().parents[3]
TOOLS = Path(sys.prefix) / "toolchains" / "python" / "bin"
SHARES: tuple[Share, ...] = ("project", "domain", "interface", "storage", "tests")


@pytest.fixture(scope="module", autouse=True)
def toolchain() -> None:
    """Install what verifies generated projects, when it is not there."""
    command = [sys.executable, "-m", "knative.cli.main", "toolchains", "install", "python"]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)


def written(specification: Specification, folder: Path) -> Path:
    """Write a project to a folder."""
    outputs = [implement(ImplementerInput(specification=specification, share=share)) for share in SHARES]
    for file in SourceTree.join([output.tree for output in outputs]).files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.content, encoding="utf-8")
    return folder


def checked(folder: Path, *command: str) -> None:
    """Run a tool of the toolchain in a project; its words are the test's when it fails."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run(
        [str(TOOLS / "python"), "-m", *command], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}{done.stderr[-2000:]}"


def program_with_tags() -> Specification:
    """Read a program whose things are put together with others, and whose state is called as an operation is."""
    return read(
        "A command line reading list. Books have a title, an author and tags. I want to add books, mark a book as read "
        "and see how many books I read per author."
    )


def library_of_accounts() -> Specification:
    """Read a library whose records change numbers of what they refer to."""
    return read(
        "A library for bank accounts: an account has an owner and a balance that may never go below zero. You can "
        "deposit and withdraw money, and transfer money between two accounts."
    )


@pytest.mark.parametrize(
    "make",
    [
        program_with_tags,
        library_of_accounts,
        samples.lending_library,
        samples.repair_shop,
        samples.repair_program,
        samples.repair_library,
        samples.awkward_names,
        samples.data_structures,
        samples.stock_keeping,
        lambda: samples.stock_keeping(Kind.LIBRARY),
    ],
    ids=lambda make: make.__name__.strip("<>"),
)
def test_a_project_passes_its_own_checks(make: Callable[[], Specification], tmp_path: Path) -> None:
    folder = written(make(), tmp_path)
    checked(folder, "ruff", "check", ".")
    checked(folder, "ruff", "format", "--check", ".")
    checked(folder, "mypy")
    checked(folder, "pytest", "-q")


@pytest.mark.parametrize(
    ("path", "right", "wrong"),
    [
        ("services/loans.py", "> 3:", "> 4:"),
        ("services/loans.py", "> book.copies:", "> book.copies + 1:"),
        ("services/loans.py", "timedelta(days=14)", "timedelta(days=15)"),
        ("services/loans.py", 'if loan.status != "open":', 'if loan.status == "nowhere":'),
        ("storage/loans.py", "AND own.due_on < :today", "AND own.due_on > :today"),
        ("storage/migrations/0001_first.sql", "UNIQUE INDEX members_email_key", "INDEX members_email_key"),
        ("storage/database.py", '"BEGIN IMMEDIATE"', '"BEGIN"'),
    ],
)  # fmt: skip
def test_a_broken_rule_fails_the_projects_own_tests(path: str, right: str, wrong: str, tmp_path: Path) -> None:
    folder = written(samples.lending_library(), tmp_path)
    file = folder / "src" / "lending_library" / path
    content = file.read_text()
    assert right in content
    file.write_text(content.replace(right, wrong))
    with pytest.raises(AssertionError, match="failed"):
        checked(folder, "pytest", "-q", "-x", "tests/test_loans.py", "tests/test_rules.py", "tests/test_service.py")


@contextmanager
def served(folder: Path, package: str, data: Path) -> Iterator[httpx.Client]:
    """Run a service as its users do."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder / "src"), "PORT": str(port)}
    process = subprocess.Popen(
        [str(TOOLS / "python"), "-W", "error", "-m", package],
        cwd=folder,
        env=environment | {"DATA_DIR": str(data)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            _wait_for(client, process)
            yield client
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the service ended at once"
        try:
            if client.get("/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the service is not healthy after a minute")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(samples.lending_library(), tmp_path_factory.mktemp("library"))


def statuses(client: httpx.Client, path: str, bodies: Sequence[Mapping[str, object]]) -> list[int]:
    """Post all bodies at once."""
    with ThreadPoolExecutor(len(bodies)) as pool:
        return [answer.status_code for answer in pool.map(lambda body: client.post(path, json=body), bodies)]


def test_rules_hold_when_many_come_at_once_and_data_outlives_a_restart(library: Path, tmp_path: Path) -> None:
    with served(library, "lending_library", tmp_path) as client:
        ann = client.post("/members", json={"name": " Ann ", "email": "ann@example.com"})
        assert (ann.status_code, ann.json()["name"]) == (201, "Ann")
        same = [{"name": "A", "email": "same@example.com"} for _ in range(20)]
        assert sorted(statuses(client, "/members", same)) == [201] + [409] * 19
        for i in range(20):
            book = {"isbn": f"isbn {i}", "title": f"Book {i}", "copies": 1 if i == 0 else 5}
            assert client.post("/books", json=book).status_code == 201
        wanted = [{"member_id": ann.json()["id"], "book_id": i + 1} for i in range(20)]
        assert sorted(statuses(client, "/loans", wanted)) == [201] * 3 + [409] * 17
        fourth = client.post("/loans", json=wanted[5])
        assert fourth.headers["content-type"] == "application/problem+json"
        assert fourth.json()["code"] == "loans_per_member"
        loans = client.get("/loans").json()
        assert loans["total"] == 3
    with served(library, "lending_library", tmp_path) as client:
        assert client.get("/loans").json() == loans
        assert client.post(f"/loans/{loans['items'][0]['id']}/return").status_code == 200
        assert client.post(f"/loans/{loans['items'][0]['id']}/return").status_code == 409
        assert client.post("/loans", json=wanted[5]).status_code == 201


FAULTY: list[object] = [
    {},
    [],
    None,
    "text",
    {"name": "A"},
    {"name": 1, "email": "a@example.com"},
    {"name": "A", "email": "nobody"},
    {"name": "", "email": "a@example.com"},
    {"name": "A", "email": "a@example.com", "id": 7},
    {"name": "A\u0000", "email": "a@example.com"},
    {"name": "A" * 100_000, "email": "a@example.com"},
]


def test_bad_input_is_refused_whole_and_changes_nothing(library: Path, tmp_path: Path) -> None:
    with served(library, "lending_library", tmp_path) as client:
        for body in FAULTY:
            answer = client.post("/members", json=body)
            assert answer.status_code == 422, body
            assert answer.json()["errors"]
        for raw in (b"", b"{", b"\xff\xfe", b'{"name": "\\ud800"}', b'{"name": NaN}', b"[" * 50_000):
            answer = client.post("/members", content=raw, headers={"content-type": "application/json"})
            assert answer.status_code == 422, raw[:20]
        torn = client.post("/members", content=b'{"name"', headers={"content-type": "application/json"})
        assert [fault["pointer"] for fault in torn.json()["errors"]] == [""]  # the whole body, not a position in it
        assert client.get("/members").json()["total"] == 0
        assert client.get("/members/1").status_code == 404
        assert client.get("/members/one").status_code == 422
        assert client.get("/members?limit=0").status_code == 422
        assert client.put("/members").status_code == 405
        assert client.put("/members").headers["allow"] == "GET, POST"
        assert client.post("/loans", json={"member_id": 1, "book_id": 1}).status_code == 404


def test_a_program_teaches_itself_and_tells_refusals_by_its_exit_code(tmp_path: Path) -> None:
    folder = written(samples.repair_program(), tmp_path / "project")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": "src", "DATA_DIR": str(tmp_path / "data")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(TOOLS / "python"), "-m", "repair_shop", *arguments]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    assert "add-customer" in run("--help").stdout
    assert run("add-customer").returncode == 2
    assert '"id": 1' in run("add-customer", "Ann", "--json").stdout
    assert "Ann" in run("list-customers").stdout
    refused = run("show-customer", "9")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "There is no customer with the id 9." in refused.stderr


def test_words_that_python_keeps_are_fields_to_clients(tmp_path: Path) -> None:
    folder = written(samples.awkward_names(), tmp_path / "project")
    package = next(path.name for path in (folder / "src").iterdir())
    with served(folder, package, tmp_path / "data") as client:
        schemas = client.get("/openapi.json").json()["components"]["schemas"]
        assert {"from", "date", "until"} <= set(schemas["TableRecordInput"]["properties"]) & set(
            schemas["TableRecord"]["properties"]
        )
        kept = client.post("/tables", json={"from": "A", "until": "2026-01-31"})
        assert (kept.status_code, kept.json()["from"]) == (201, "A")
        assert client.patch("/tables/1", json={"from": "B"}).json()["from"] == "B"
        assert client.get("/tables", params={"from": "B", "sort": "-from"}).json()["total"] == 1
        for faulty in ({"until": "2026-01-31"}, {"from": 7, "until": "2026-01-31"}):
            refused = client.post("/tables", json=faulty)
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/from")
        assert client.post("/tables", json={"from_": "A", "until": "2026-01-31"}).status_code == 422


def test_a_value_without_figures_is_left_out_of_a_report(tmp_path: Path) -> None:
    stones = (
        "An API for a mineral collection. A stone has a kind that is quartz, opal or agate and an optional weight. "
        "It reports the average weight per kind and the lowest weight per kind."
    )
    folder = written(read(stones), tmp_path / "project")
    checked(folder, "mypy", "src")
    with served(folder, "mineral_collection", tmp_path / "data") as client:
        given = [("quartz", None), ("opal", None), ("opal", 0.004), ("opal", 2)]
        for kind, weight in given:
            assert client.post("/stones", json={"kind": kind, "weight": weight}).status_code == 201
        assert client.get("/stones/average-weight-by-kind").json() == {"opal": 1.002}
        assert client.get("/stones/lowest-weight-by-kind").json() == {"opal": 0.004}
