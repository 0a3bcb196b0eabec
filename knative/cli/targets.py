"""The options that say what is rendered, and for where: the same for `hal9 render` and `hal9 deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from knative.description import DescriptionError, load_all
from knative.render import REGIONS, Data, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from knative.description import FunctionDescription

F = TypeVar("F", bound="Callable[..., Any]")
_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_FUNCTIONS: Final = _CHECKOUT / "functions"
_OPTIONS: Final = (
    click.option("--region", required=True, type=click.Choice(REGIONS), help="Region of the cluster."),
    click.option(
        "--environment", default="production", show_default=True, help="`production`, `trial`, or `single-node`."
    ),
    click.option("--namespace", default="hal9", show_default=True, help="Namespace for everything."),
    click.option(
        "--images", default="registry.example/hal9", show_default=True, help="What comes before /<function>:<version>."
    ),
    click.option(
        "--version",
        default="0.1.0",
        show_default=True,
        help="Tag of the images; PostgreSQL's and Valkey's have their own.",
    ),
    click.option(
        "--broker", default="kafka", show_default=True, type=click.Choice(["kafka", "channel"]), help="Its class."
    ),
    click.option("--ingress-namespace", multiple=True, help="Where the cluster's ingress runs; may be repeated."),
    click.option("--database-cidr", multiple=True, help="Addresses of the PostgreSQL shards; may be repeated."),
    click.option("--cache-cidr", multiple=True, help="Addresses of Valkey or Redis; may be repeated."),
    click.option(
        "--api-cidr",
        multiple=True,
        help="Addresses of the cluster's API server; may be repeated. `hal9 deploy` finds them.",
    ),
    click.option("--api-port", default=6443, show_default=True, type=click.IntRange(1, 65535), help="Its port there."),
    click.option("--without-oidc", is_flag=True, help="Go on where Eventing's OIDC is off: a shared secret instead."),
    click.option("--objects", default="", help="Where artefacts are kept: s3://bucket/prefix; else s3://hal9-REGION."),
    click.option(
        "--pool-size",
        default=0,
        type=click.IntRange(0, 100),
        help="Connections of an instance to each shard, as `hal9 pools plan` gives them; else as function.toml says.",
    ),
    click.option(
        "--with-data",
        is_flag=True,
        help="Add PostgreSQL and Valkey for trying out: single ones, and a volume for artefacts unless --objects.",
    ),
    click.option(
        "--storage",
        default="volume",
        show_default=True,
        type=click.Choice(["volume", "emptydir"]),
        help="What --with-data keeps its data in; `emptydir` goes with the pod.",
    ),
    click.option("--storage-class", default="", help="StorageClass of its volumes; else the cluster's default."),
    click.option(
        "--backups",
        default="",
        help="Add the archiver, which backs the shards up to s3://bucket/prefix by the clock, and archives their WAL.",
    ),
    click.option(
        "--backups-size",
        default=Target.backups_size,
        show_default=True,
        help="Of its volume: restore tests need room for all data folders, twice.",
    ),
    click.option("--backups-storage-class", default="", help="StorageClass of that; else the cluster's default."),
)


def target_options(command: F) -> F:
    """Give a command these options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def target(given: Mapping[str, Any]) -> Target:
    """Read the options.

    Raises:
        click.UsageError: One is wrong; every fault is named.
    """
    default = Target(given["region"])
    if given["storage_class"] and not given["with_data"]:
        raise click.UsageError("--storage-class is of the volumes of --with-data: without that there are none")
    data = _servers(given["storage"], given["storage_class"]) if given["with_data"] else None
    try:
        return Target(
            region=given["region"],
            environment=given["environment"],
            namespace=given["namespace"],
            images=given["images"],
            version=given["version"],
            broker=given["broker"],
            ingress_namespaces=given["ingress_namespace"] or default.ingress_namespaces,
            database_cidrs=given["database_cidr"] or default.database_cidrs,
            cache_cidrs=given["cache_cidr"] or default.cache_cidrs,
            oidc=not given["without_oidc"],
            api_cidrs=given["api_cidr"] or default.api_cidrs,
            api_port=given["api_port"],
            objects=given["objects"],
            pool_size=given["pool_size"],
            backups=given["backups"],
            backups_size=given["backups_size"],
            backups_storage_class=given["backups_storage_class"],
            data=data,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _servers(storage: Any, storage_class: str) -> Data:
    """Describe the servers for trying out, whose images have the tags that `hal9 images build` gives them here."""
    from knative.images.versions import versions
    from knative.images.wheels import WheelError

    try:
        tags = versions(_CHECKOUT)
        return Data(postgres=tags["postgres"], valkey=tags["valkey"], storage=storage, storage_class=storage_class)
    except (OSError, WheelError) as error:
        raise click.ClickException(f"The servers' versions are not known: {error}") from None


def functions(environment: str) -> tuple[FunctionDescription, ...]:
    """Read every function.

    Raises:
        click.ClickException: A function.toml is wrong.
        click.UsageError: None of them knows the environment.
    """
    try:
        found = load_all(_FUNCTIONS)
    except DescriptionError as error:
        raise click.ClickException(str(error)) from None
    known = _environments(found)
    if environment not in known:
        raise click.UsageError(f"no function.toml knows {environment!r}; there are: {', '.join(sorted(known))}")
    return found


def _environments(found: Iterable[FunctionDescription]) -> set[str]:
    return {name for function in found for name in function.overrides}
