"""`hal9 render`: the manifests of a cluster, from the functions' descriptions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from knative.cli.identities import keys
from knative.cli.targets import functions, target, target_options
from knative.render import NotOursError, identities, render, write


@click.command("render")
@target_options
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the manifests; made when it is missing.",
)
@click.option(
    "--identities",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder that `hal9 identities create` wrote: adds the ConfigMap hal9-trust, with the keys' public halves.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(*, out: Path, folder: Path | None, as_json: bool, **given: Any) -> None:
    """Write everything that a Knative cluster needs.

    Services, Broker, Triggers, dead-letter sink, EventPolicy, accounts, migrations, disruption budgets, topology spread
    and network policies (default deny), from the same function.toml files that the local platform reads. `hal9 deploy`
    applies the same, and makes the Secrets and the trust that they name; with tools of your own, make these with
    `hal9 identities create`.

    \b
    Example:
      hal9 render --region eu-central --out build/manifests
      kubectl apply --server-side -f build/manifests
    """
    wanted = target(given)
    found = functions(wanted.environment)
    trust = None if folder is None else identities.trust(keys(folder, found).values(), wanted)
    files = render(found, wanted, trust)
    try:
        others = write(files, out)
    except NotOursError as error:
        raise click.ClickException(
            f"{error} was not written by `hal9 render`: move it, or name another folder"
        ) from None
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error.strerror}; it is as it was") from None
    for one in others:
        click.echo(
            f"Warning: {one} was not written by `hal9 render`; `kubectl apply -f {out}` applies it too.", err=True
        )
    count = sum(len(manifests) for manifests in files.values())
    if as_json:
        click.echo(
            json.dumps(
                {"folder": str(out), "files": list(files), "others": [str(one) for one in others], "objects": count}
            )
        )
        return
    for name, manifests in files.items():
        click.echo(f"{out / name}  {', '.join(dict.fromkeys(manifest['kind'] for manifest in manifests))}")
    click.echo(f"\n{count} objects. The cluster's config-features must enable:")
    for flag, reason in wanted.feature_flags.items():
        click.echo(f"  {flag}  ({reason})")
