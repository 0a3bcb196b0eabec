"""What runs as process 1 beside the functions: command lines, secrets, the stand-in for a shell."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from knative.images.entry import migrations, shell, valkey
from knative.images.entry.secret import SecretMissingError, secret
from shared import apikeys
from shared.keys import base64url
from shared.randomness import SystemRandomness

if TYPE_CHECKING:
    from pathlib import Path


def test_the_stand_in_for_a_shell_runs_a_program_with_its_redirections(tmp_path: Path) -> None:
    script = 'import sys; print(sys.stdin.read().upper()); print("err", file=sys.stderr)'
    (tmp_path / "in file").write_text("text")
    command = f'"{sys.executable}" -c \'{script}\' < "{tmp_path}/in file" > "{tmp_path}/out" 2>&1'
    subprocess.run([sys.executable, "-ISB", shell.__file__, "-c", command], check=True)
    assert sorted((tmp_path / "out").read_text().split()) == ["TEXT", "err"]


def test_the_stand_in_copies_a_file_where_there_is_no_cp(tmp_path: Path) -> None:
    (tmp_path / "segment").write_bytes(b"WAL")

    def copy(name: str) -> int:
        command = f'cp "{tmp_path}/{name}" "{tmp_path}/copy"'
        ran = [sys.executable, "-ISB", shell.__file__, "-c", command]
        return subprocess.run(ran, env={"PATH": str(tmp_path)}, capture_output=True, check=False).returncode

    assert copy("none") == 1, "recovery takes that for the end of the WAL"
    assert (copy("segment"), (tmp_path / "copy").read_bytes()) == (0, b"WAL")


@pytest.mark.parametrize("command", ["a | b", "a; b", "a && b", "(a)"])
def test_the_stand_in_refuses_what_it_cannot_do(command: str) -> None:
    with pytest.raises(ValueError, match="no shell is in this image"):
        shell.words(command)


def test_a_secret_comes_from_its_variable_or_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HAL9_X", "one")
    assert secret("HAL9_X") == "one"
    (tmp_path / "x").write_text("two\n")
    monkeypatch.setenv("HAL9_X_FILE", str(tmp_path / "x"))
    assert secret("HAL9_X") == "two"
    (tmp_path / "x").write_text("a\nb")
    with pytest.raises(SecretMissingError, match="HAL9_X must have no control character"):
        secret("HAL9_X")


def test_valkey_s_password_is_quoted() -> None:
    assert b'requirepass "a\\"b\\\\c"\n' in valkey.configuration('a"b\\c')


def test_the_migrations_read_the_organisation_that_is_to_be_made() -> None:
    new = apikeys.generate(SystemRandomness())
    key = f"{new.prefix}:{base64url.encode(new.secret_hash)}"
    found = migrations.wanted(["--organisation", "acme", "--region=eu-central", "--owner-key", key])
    assert found is not None
    assert (found.slug, found.region) == ("acme", "eu-central")
    assert (found.key.prefix, found.key.secret_hash, found.key.text) == (new.prefix, new.secret_hash, "")
    assert migrations.wanted([]) is None


def test_every_fault_of_the_migrations_command_line_is_named() -> None:
    with pytest.raises(migrations.UsageError) as caught:
        migrations.wanted(["--organisation", "No", "--region", "?", "--owner-key", "x"])
    for fault in ("'No' is no slug", "'?' is no region", "--owner-key must be"):
        assert fault in str(caught.value)


def test_migrations_without_an_address_end_with_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HAL9_SHARDS_ADMIN", raising=False)
    assert migrations.main([]) == 2
    assert "HAL9_SHARDS_ADMIN" in capsys.readouterr().err
