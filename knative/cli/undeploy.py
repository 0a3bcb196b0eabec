"""`hal9 undeploy`: take away what `hal9 deploy` made in a namespace."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys

import click

from knative.cli.progress import Progress, Silent, table

_INTERRUPTED = 130


@click.command("undeploy")
@click.option("--context", help="Context of KUBECONFIG; its current one, when left out.")
@click.option("--namespace", default="hal9", show_default=True, help="Namespace of the deployment.")
@click.option("--with-data", is_flag=True, help="Delete volumes, passwords, identities and trust as well: for ever.")
@click.option(
    "--timeout",
    default=600,
    show_default=True,
    type=click.IntRange(1),
    help="Seconds to wait for the pods' end at most.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print what was deleted as JSON; asks nothing.")
def command(*, context: str | None, namespace: str, with_data: bool, timeout: int, yes: bool, as_json: bool) -> None:
    """Take away what `hal9 deploy` made in a namespace.

    First the functions and, when all their instances have ended what they had begun, the servers; when no pod is left,
    network policies, accounts and the rest.

    The namespace stays, and so do volumes, Secrets and trust, which a later deployment takes up again; --with-data
    deletes them too. What others made is never touched.
    """
    try:
        sys.exit(
            asyncio.run(
                _undeploy(
                    context, namespace, with_data=with_data, seconds=timeout, ask=not (yes or as_json), json_=as_json
                )
            )
        )
    except KeyboardInterrupt:
        click.echo("\nStopped. The same command goes on from there.", err=True)
        sys.exit(_INTERRUPTED)


async def _undeploy(
    context: str | None, namespace: str, *, with_data: bool, seconds: int, ask: bool, json_: bool
) -> int:
    from knative.deploy.cluster import ClusterError, connect
    from knative.deploy.removal import as_changes, removable, remove

    try:
        async with connect(context, namespace) as cluster:
            found = await removable(cluster, with_data=with_data)
            changes = as_changes(found)
            if ask and found:
                table(changes, checked=True)
                click.confirm(f"Delete these from {namespace} of {cluster.context or cluster.server}?", abort=True)
            with Silent() if json_ else Progress("deleting") as progress:
                await remove(cluster, found, seconds=seconds, watcher=progress)
    except ClusterError as error:
        raise click.ClickException(str(error)) from error
    if json_:
        click.echo(json.dumps({"namespace": namespace, "deleted": [dataclasses.asdict(one) for one in changes]}))
    else:
        click.echo(f"{len(found)} objects were deleted." if found else f"Nothing of HAL9 is in {namespace}.")
    return 0
