"""`hal9 identities create`, and that with it everything that the manifests name is there, or in the guide."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from click.testing import CliRunner

from knative.cli.main import main
from shared.keys import PrivateKey, Trust

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "platform-team.md"

OF_KUBERNETES = ("ConfigMap", "kube-root-ca.crt")
"""In every namespace, by itself."""


def hal9(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def written(folder: Path) -> list[dict[str, Any]]:
    return [one for path in sorted(folder.glob("*.yaml")) for one in yaml.safe_load_all(path.read_bytes())]


def named(value: object) -> Iterator[tuple[str, str]]:
    """Every Secret and ConfigMap that a pod cannot start without."""
    if isinstance(value, dict):
        for kind, place, field in (
            ("Secret", "secret", "secretName"),
            ("Secret", "secretKeyRef", "name"),
            ("ConfigMap", "configMap", "name"),
            ("ConfigMap", "configMapKeyRef", "name"),
            ("ConfigMap", "configMapRef", "name"),
            ("Secret", "secretRef", "name"),
        ):
            about = value.get(place)
            if isinstance(about, dict) and field in about and not about.get("optional"):
                yield kind, about[field]
        for inner in value.values():
            yield from named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from named(inner)


def test_everything_that_is_named_is_made_or_told_how_to_make(tmp_path: Path) -> None:
    identities, manifests = tmp_path / "identities", tmp_path / "manifests"
    assert hal9("identities", "create", "--out", str(identities)).exit_code == 0
    done = hal9("render", "--region", "eu-central", "--identities", str(identities), "--out", str(manifests))
    assert done.exit_code == 0, done.output
    made = {(one["kind"], one["metadata"]["name"]) for one in written(identities) + written(manifests)}
    assert ("ConfigMap", "hal9-trust") in made
    guide = GUIDE.read_text(encoding="utf-8")
    left = set(named(written(manifests))) - made - {OF_KUBERNETES}
    assert {kind for kind, _ in left} == {"Secret"}
    assert [name for _, name in left if f"create secret generic {name} --from-literal=value=" not in guide] == []
    assert {one["metadata"]["namespace"] for one in written(identities)} == {"hal9"}


def test_functions_believe_one_another_and_keys_stay(tmp_path: Path) -> None:
    identities, manifests = tmp_path / "identities", tmp_path / "manifests"
    first = json.loads(hal9("identities", "create", "--out", str(identities), "--json").stdout)
    secrets = {path.name: path.read_bytes() for path in identities.iterdir()}
    assert sorted(first["made"]) == sorted(secrets)
    assert {path.stat().st_mode & 0o777 for path in identities.iterdir()} == {0o600}
    again = json.loads(hal9("identities", "create", "--out", str(identities), "--json").stdout)
    assert (again["made"], again["kept"]) == ([], len(secrets))
    assert {path.name: path.read_bytes() for path in identities.iterdir()} == secrets
    hal9("render", "--region", "us-west", "--identities", str(identities), "--out", str(manifests))
    believed = next(one for one in written(manifests) if one["metadata"]["name"] == "hal9-trust")["data"]["jwks.json"]
    assert '"d"' not in believed
    (tmp_path / "jwks.json").write_text(believed)
    trust = Trust.load(tmp_path / "jwks.json")
    for secret in written(identities):
        key = tmp_path / "key.json"
        key.write_bytes(base64.b64decode(secret["data"]["key.json"]))
        key.chmod(0o600)
        private = PrivateKey.load(key)
        found = trust.find(private.kid)
        assert found is not None
        assert found.issuer == private.issuer
        assert found.verifies(private.sign(b"message"), b"message")


def test_a_key_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    hal9("identities", "create", "--out", str(tmp_path / "identities"))
    arguments = ["render", "--region", "us-west", "--identities", str(tmp_path / "identities"), "--out"]
    gateway = tmp_path / "identities" / "hal9-identity-gateway.yaml"
    for break_it, said in ((lambda: gateway.write_bytes(b"\xff: ["), str(gateway)), (gateway.unlink, "gateway")):
        break_it()
        refused = hal9(*arguments, str(tmp_path / "out"))
        assert (refused.exit_code, said in refused.stderr) == (1, True)
        assert not (tmp_path / "out").exists()
