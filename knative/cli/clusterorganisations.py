"""Organisations on a cluster: make one, write the credentials of the one that is for trying out."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final

import click

from knative.cli.progress import Silent

if TYPE_CHECKING:
    from pathlib import Path

    from knative.deploy.cluster import Cluster
    from knative.deploy.organisations import Made

DEMO: Final = "demo"
_SECONDS: Final = 120.0


def establish(context: str | None, namespace: str, slug: str, region: str | None) -> Made:
    """Make an organisation.

    Raises:
        click.ClickException: It cannot be made; the text says why.
    """
    return asyncio.run(_made(context, namespace, slug, region))


async def write_demo_credentials(cluster: Cluster, file: Path | None, connect_to: str | None) -> None:
    """Make the organisation `demo`, and write its owner's key with the gateway's address to a file, mode 0600.

    A file that is there with a key that works is only brought up to date.

    Raises:
        click.ClickException: Its key is somewhere else.
        ClusterError: It cannot be made; the text says why.
    """
    from knative.deploy.organisations import establish as make
    from knative.deploy.organisations import gateway_url
    from knative.platform.home import Home, PlatformSettings, replace
    from shared.settings import load

    path = file or Home.at(load(PlatformSettings).home).path / "clusters" / f"{cluster.namespace}.json"
    url = await gateway_url(cluster)
    made = await make(cluster, DEMO, None, seconds=_SECONDS, progress=Silent())
    key = made.key or _written(path)
    if key is None:
        raise click.ClickException(
            f"The organisation {DEMO} exists, and its owner's key is not in {path}: name the file with --credentials."
        )
    document = {"url": url, "api_key": key, "organisation": str(made.org_id), "slug": DEMO}
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = {**document, **({"connect_to": connect_to} if connect_to else {})}
    replace(path, json.dumps(content, indent=1).encode(), 0o600)
    click.echo(f"The credentials of the organisation {DEMO} are in {path}: export HAL9_CREDENTIALS={path}", err=True)


async def _made(context: str | None, namespace: str, slug: str, region: str | None) -> Made:
    from knative.deploy.cluster import ClusterError, connect
    from knative.deploy.organisations import establish as make

    try:
        async with connect(context, namespace) as cluster:
            return await make(cluster, slug, region, seconds=_SECONDS, progress=Silent())
    except ClusterError as error:
        raise click.ClickException(str(error)) from error


def _written(path: Path) -> str | None:
    """Give the key that was written before."""
    try:
        document = json.loads(path.read_bytes())
        key = document["api_key"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return key if isinstance(key, str) else None
