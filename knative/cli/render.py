"""`hal9 render`: the manifests of a cluster, from the functions' descriptions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from knative.description import DescriptionError, FunctionDescription, load_all
from knative.render import REGIONS, Target, render, write

_FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"


@click.command("render")
@click.option("--region", required=True, type=click.Choice(REGIONS), help="Region of the cluster.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the manifests; made when it is missing.",
)
@click.option("--environment", default="production", show_default=True, help="`production`, or `trial`.")
@click.option("--namespace", default="hal9", show_default=True, help="Namespace for everything.")
@click.option(
    "--images", default="registry.example/hal9", show_default=True, help="What comes before /<function>:<version>."
)
@click.option("--image-version", default="0.1.0", show_default=True, help="Tag of the images.")
@click.option(
    "--broker", default="kafka", show_default=True, type=click.Choice(["kafka", "channel"]), help="Its class."
)
@click.option("--ingress-namespace", multiple=True, help="Where the cluster's ingress runs; may be repeated.")
@click.option("--database-cidr", multiple=True, help="Addresses of the PostgreSQL shards; may be repeated.")
@click.option("--cache-cidr", multiple=True, help="Addresses of Valkey or Redis; may be repeated.")
@click.option("--objects", default="", help="Where artefacts are kept: s3://bucket/prefix; else s3://hal9-REGION.")
@click.option(
    "--pool-size",
    default=0,
    type=click.IntRange(0, 100),
    help="Connections of an instance to each shard, as `hal9 pools plan` gives them; else as function.toml says.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(
    region: str,
    out: Path,
    environment: str,
    namespace: str,
    images: str,
    image_version: str,
    broker: str,
    ingress_namespace: tuple[str, ...],
    database_cidr: tuple[str, ...],
    cache_cidr: tuple[str, ...],
    objects: str,
    pool_size: int,
    as_json: bool,
) -> None:
    """Write everything that a Knative cluster needs.

    Services, Broker, Triggers, dead-letter sink, EventPolicy, accounts, settings, disruption budgets, topology spread
    and network policies (default deny), from the same function.toml files that the local platform reads.

    \b
    Example:
      hal9 render --region eu-central --out build/manifests
      kubectl apply --server-side -f build/manifests
    """
    default = Target(region)
    try:
        target = Target(
            region=region,
            environment=environment,
            namespace=namespace,
            images=images,
            version=image_version,
            broker="channel" if broker == "channel" else "kafka",
            ingress_namespaces=ingress_namespace or default.ingress_namespaces,
            database_cidrs=database_cidr or default.database_cidrs,
            cache_cidrs=cache_cidr or default.cache_cidrs,
            objects=objects,
            pool_size=pool_size,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    functions = _described()
    known = _environments(functions)
    if environment not in known:
        raise click.UsageError(f"no function.toml knows {environment!r}; there are: {', '.join(sorted(known))}")
    files = render(functions, target)
    try:
        write(files, out)
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error.strerror}") from None
    count = sum(len(manifests) for manifests in files.values())
    if as_json:
        click.echo(json.dumps({"folder": str(out), "files": list(files), "objects": count}))
        return
    for name, manifests in files.items():
        click.echo(f"{out / name}  {', '.join(dict.fromkeys(manifest['kind'] for manifest in manifests))}")
    click.echo(f"\n{count} objects. The cluster's config-features must enable:")
    for flag, reason in target.feature_flags.items():
        click.echo(f"  {flag}  ({reason})")


def _described() -> tuple[FunctionDescription, ...]:
    try:
        return load_all(_FUNCTIONS)
    except DescriptionError as error:
        raise click.ClickException(str(error)) from None


def _environments(functions: Iterable[FunctionDescription]) -> set[str]:
    """Name the environments that function.toml files know."""
    return {name for function in functions for name in function.overrides}
