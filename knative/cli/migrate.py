"""`hal9 migrate`: bring every shard's schema up to date, show where each stands, or lint the migrations."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys

import click

from knative.cli.servers import admin_addresses
from shared.database.migrations import MigrationError, linter, migrate, read, status


@click.command()
@click.option("--status", "only_status", is_flag=True, help="Show what each shard has and lacks; change nothing.")
@click.option(
    "--lint", "only_lint", is_flag=True, help="Check the migration files for lock safety and tenancy; needs no server."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, only_status: bool, only_lint: bool, as_json: bool) -> None:
    """Bring every shard's schema up to date.

    Runs under a lock on every shard, each migration in one transaction, and refuses when an applied one was changed,
    is missing, or would be overtaken. Exit code 1 when it refuses, when --status finds something pending or wrong,
    and when --lint finds a fault.
    """
    try:
        if only_lint:
            _lint(as_json=as_json)
        elif only_status:
            _status(as_json=as_json)
        else:
            _migrate(as_json=as_json)
    except MigrationError as error:
        raise click.ClickException(str(error)) from error


def _lint(*, as_json: bool) -> None:
    files = read()
    findings = linter.lint(files)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(str(finding))
        click.echo(f"{len(files)} migrations, {len(findings)} faults")
    sys.exit(1 if findings else 0)


def _status(*, as_json: bool) -> None:
    statuses = asyncio.run(status(admin_addresses()))
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(one) for one in statuses], indent=2))
    else:
        for one in statuses:
            click.echo(f"shard {one.shard}: {len(one.applied)} applied, {len(one.pending)} pending")
            for name in one.pending:
                click.echo(f"  pending: {name}")
            for fault in one.faults:
                click.echo(f"  wrong: {fault}")
    sys.exit(1 if any(one.pending or one.faults for one in statuses) else 0)


def _migrate(*, as_json: bool) -> None:
    applied = asyncio.run(migrate(admin_addresses()))
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(one) for one in applied], indent=2))
        return
    for one in applied:
        click.echo(f"shard {one.shard}: {one.migration} ({one.milliseconds} ms)")
    click.echo("every shard is up to date" if not applied else f"{len(applied)} applied; every shard is up to date")
