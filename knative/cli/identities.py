"""`hal9 identities`: the functions' keys as manifests, for whoever applies those of `hal9 render` with other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from knative.cli.targets import functions
from knative.platform.home import replace
from knative.render import REGIONS, Target, identities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knative.description import FunctionDescription


@click.group()
def command() -> None:
    """Make the functions' keys, for who applies manifests with tools of their own (`hal9 deploy` makes its own)."""


@command.command("create")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for the Secrets.")
@click.option("--namespace", default="hal9", show_default=True, help="Namespace of the deployment.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; no key is in it.")
def create(*, out: Path, namespace: str, as_json: bool) -> None:
    """Write a Secret with a key for each function that has none there yet; keys that are there stay.

    The files are secret: whoever has one can speak for its function. `hal9 render --identities DIR` writes the
    ConfigMap with what may be believed, which is public.

    \b
    Example:
      hal9 identities create --out build/identities
      hal9 render --region eu-central --identities build/identities --out build/manifests
      kubectl apply --server-side -f build/manifests/00-namespace.yaml -f build/identities
    """
    import yaml

    try:
        target = Target(REGIONS[0], namespace=namespace)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    described = functions("production")
    made: list[str] = []
    try:
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        for function in described:
            file = _file(out, function)
            kept = _read(file) if file.exists() else None
            values = {identities.KEY_FILE: kept or identities.new_key(function)}
            manifest = identities.secret(identities.secret_of(function), values, target)
            # Without the header of rendered files, which `hal9 render` deletes when it renders them no longer.
            replace(file, yaml.safe_dump(manifest, sort_keys=False).encode(), 0o600)
            made += [] if kept else [file.name]
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error.strerror}") from None
    if as_json:
        click.echo(json.dumps({"folder": str(out), "made": made, "kept": len(described) - len(made)}))
    else:
        click.echo(f"{len(made)} keys made, {len(described) - len(made)} kept, in {out}. Keep them secret.")


def keys(folder: Path, described: Sequence[FunctionDescription]) -> dict[str, bytes]:
    """Give the key of every function, by its name, from the Secrets in a folder.

    Raises:
        click.ClickException: One is missing, or holds no key.
    """
    missing = [function.name for function in described if not _file(folder, function).is_file()]
    if missing:
        raise click.ClickException(
            f"{folder} holds no key for {', '.join(missing)}: make them with `hal9 identities create --out {folder}`"
        )
    return {function.name: _read(_file(folder, function)) for function in described}


def _file(folder: Path, function: FunctionDescription) -> Path:
    return folder / f"{identities.secret_of(function)}.yaml"


def _read(file: Path) -> bytes:
    """Read a Secret's key.

    Raises:
        click.ClickException: It holds none.
    """
    import yaml

    try:
        secret: Any = yaml.safe_load(file.read_bytes())
        key = identities.values_of(secret)[identities.KEY_FILE]
        identities.public(key)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        raise click.ClickException(
            f"{file} holds no Secret with a function's key: put it back, or delete it so that another one is made"
        ) from None
    return key
