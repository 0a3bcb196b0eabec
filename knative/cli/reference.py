"""`hal9 reference`: write what is generated from the code, or check that it is current."""

from __future__ import annotations

import json

import click

from knative import reference


@click.command("reference")
@click.option("--check", is_flag=True, help="Write nothing; fail when a file is stale.")
@click.option("--json", "as_json", is_flag=True, help="Print the files as JSON.")
def command(*, check: bool, as_json: bool) -> None:
    """Write the generated reference: OpenAPI, AsyncAPI, schemas, settings, problems."""
    paths = [str(path) for path in (reference.stale() if check else reference.write())]
    if as_json:
        click.echo(json.dumps({"stale" if check else "written": paths}))
    elif paths:
        click.echo("\n".join(f"{'stale:' if check else 'wrote'} {path}" for path in paths))
    else:
        click.echo("Everything is current.")
    if check and paths:
        click.echo("Run `hal9 reference` and commit what it writes.", err=True)
        raise SystemExit(1)
