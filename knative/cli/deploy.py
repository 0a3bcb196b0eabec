"""`hal9 deploy`: apply HAL9 to a Knative cluster, and wait until all of it is ready."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from knative.cli import rollout
from knative.cli.clusterorganisations import write_demo_credentials
from knative.cli.progress import Progress, Silent, delivered, explain, faults, table
from knative.cli.targets import functions, target, target_options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from knative.deploy.canary import Canary
    from knative.deploy.cluster import Cluster
    from knative.deploy.deployment import Outcome, Prepared
    from knative.description import FunctionDescription
    from knative.render import Target

_INTERRUPTED = 130
_STOPPED = "\nStopped. What was applied stays: the same command goes on from there."
_KEPT = "{one.name} keeps {one.runs}; this release brings {one.rendered}: --update-data restarts it with that."
_RESTARTED = "{name} is restarted before anything else, in its turn ({fields})."
_ERASED = "This erases data: {} would be restarted, and the storage is emptydir."
_WITHOUT_OIDC = (
    "Without OIDC whoever may read the namespace's Triggers can pose as the broker, and any pod of the cluster can "
    "send events to the Broker: only for a cluster whose other tenants you trust."
)


@click.command("deploy")
@target_options
@click.option("--context", help="Context of KUBECONFIG; its current one, when left out.")
@click.option("--plan", "only_plan", is_flag=True, help="Show what would change, and change nothing.")
@click.option(
    "--demo-organisation", is_flag=True, help="Make the organisation `demo` too, and write its credentials to a file."
)
@click.option(
    "--credentials",
    type=click.Path(path_type=Path, dir_okay=False),
    help="That file; else HAL9_HOME/clusters/NAMESPACE.json. HAL9_CREDENTIALS names it to other commands.",
)
@click.option("--connect-to", help="host:port of the cluster's ingress, for that file, where no DNS has its names.")
@click.option(
    "--update-data",
    is_flag=True,
    help="Restart the servers of --with-data with this release's images, one by one, before anything else.",
)
@click.option("--erase-data", is_flag=True, help="The same where that erases their data, with --storage emptydir.")
@click.option("--without-probe", is_flag=True, help="Do not try at the end whether events are delivered.")
@rollout.options
@click.option("--timeout", default=600, show_default=True, type=click.IntRange(1), help="Seconds to wait at most.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    context: str | None,
    only_plan: bool,
    demo_organisation: bool,
    credentials: Path | None,
    connect_to: str | None,
    update_data: bool,
    erase_data: bool,
    without_probe: bool,
    timeout: int,
    as_json: bool,
    **given: Any,
) -> None:
    """Apply HAL9 to the cluster of KUBECONFIG, and wait until all of it is ready.

    Checks first what the cluster lacks: versions, feature flags, rights, Secrets; names all of it at once, and applies
    nothing then. HAL9_SHARDS, HAL9_SHARDS_ADMIN and HAL9_CACHE_URL of the environment become Secrets; those that the
    cluster has are kept. The migrations run first, as a Job. What was applied once and is rendered no longer is deleted
    at the end; namespaces and volumes never are.

    At the end an event is sent through the Broker, where anything changed: all may say that it is ready while none is
    delivered.

    With --canary the services that changed get that share of the requests first. They are judged by their errors and by
    their latency, against the old version in the same time; then they get all of them, or are rolled back.

    \b
    Exit codes:
      0  it is ready, or --plan
      1  something stands in the way, did not become ready, was rolled back, or no events are delivered; the reason is
         printed

    \b
    Example:
      hal9 deploy --region eu-central --images registry.example/hal9 --version 1.4.0 --plan
    """
    wanted = target(given)
    if not wanted.oidc:
        click.echo(_WITHOUT_OIDC, err=True)
    described = functions(wanted.environment)
    trial = rollout.canary(given)
    run = _Run(
        context,
        wanted,
        described,
        trial,
        as_json=as_json,
        only_plan=only_plan,
        seconds=timeout,
        update_data=update_data,
        erase_data=erase_data,
        probe=not without_probe,
        demo=partial(write_demo_credentials, file=credentials, connect_to=connect_to) if demo_organisation else None,
    )
    try:
        sys.exit(asyncio.run(run.run()))
    except KeyboardInterrupt:
        click.echo(rollout.STOPPED if trial is not None else _STOPPED, err=True)
        sys.exit(_INTERRUPTED)


@dataclasses.dataclass(frozen=True)
class _Run:
    """One call of the command."""

    context: str | None
    target: Target
    functions: tuple[FunctionDescription, ...]
    trial: Canary | None
    as_json: bool
    only_plan: bool
    seconds: int
    update_data: bool
    erase_data: bool
    probe: bool
    demo: Callable[[Cluster], Awaitable[None]] | None

    async def run(self) -> int:
        """Do it; give the exit code."""
        from knative.deploy.cluster import ClusterError, connect
        from knative.deploy.deployment import deploy, prepare

        try:
            async with connect(self.context, self.target.namespace) as cluster:
                prepared = await prepare(
                    cluster,
                    self.functions,
                    self.target,
                    os.environ,
                    canary=self.trial is not None,
                    update_data=self.update_data,
                    erase_data=self.erase_data,
                )
                if not prepared.faults:
                    _tell_of_servers(prepared)
                if self.only_plan or prepared.faults:
                    return self._show(prepared)
                progress = Silent() if self.as_json else Progress()
                with progress:
                    outcome = await deploy(
                        cluster,
                        prepared,
                        seconds=self.seconds,
                        progress=progress,
                        trial=self.trial,
                        probe=self.probe,
                    )
                code = self._done(prepared, outcome)
                if code == 0 and self.demo is not None:
                    # By the same connection: a busy server is asked again, but a new one would be given up.
                    await self.demo(cluster)
                return code
        except ClusterError as error:
            raise click.ClickException(str(error)) from error

    def _show(self, prepared: Prepared) -> int:
        if self.as_json:
            click.echo(json.dumps(_plan_document(prepared), indent=2))
        else:
            if prepared.faults:
                faults(prepared.faults)
            if prepared.plan is not None and not prepared.faults:
                table(prepared.changes, checked=prepared.plan.checked)
        return 1 if prepared.faults else 0

    def _done(self, prepared: Prepared, outcome: Outcome) -> int:
        if self.as_json:
            click.echo(json.dumps({**_plan_document(prepared), **dataclasses.asdict(outcome)}, indent=2))
            return 1 if outcome.stage else 0
        if outcome.roll_out is not None:
            rollout.show(outcome.roll_out)
        if outcome.stage:
            explain(outcome)
        if outcome.probed is not None and not outcome.stage:
            click.echo(delivered(outcome.probed.report))
        if not outcome.stage:
            changed = sum(one.action != "unchanged" for one in prepared.changes)
            said = (
                "nothing had to be changed"
                if prepared.unchanged
                else f"{changed} object{'' if changed == 1 else 's'} changed"
            )
            click.echo(f"HAL9 is ready in {self.target.namespace}: {said}.")
        return 1 if outcome.stage else 0


def _tell_of_servers(prepared: Prepared) -> None:
    """Say what happens to the servers of --with-data: a release alone restarts none."""
    for one in prepared.kept:
        click.echo(_KEPT.format(one=one), err=True)
    for name, fields in prepared.restarting.items():
        click.echo(_RESTARTED.format(name=name, fields=", ".join(fields)), err=True)
    if prepared.erased:
        click.echo(_ERASED.format(", ".join(prepared.erased)), err=True)


def _plan_document(prepared: Prepared) -> dict[str, Any]:
    return {
        "namespace": prepared.target.namespace,
        "faults": [dataclasses.asdict(one) for one in prepared.faults],
        "checked": prepared.plan is not None and prepared.plan.checked,
        "changes": [dataclasses.asdict(one) for one in prepared.changes],
        "servers_kept": [dataclasses.asdict(one) for one in prepared.kept],
        "servers_restarted": {name: list(fields) for name, fields in prepared.restarting.items()},
    }
