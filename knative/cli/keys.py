"""`hal9 keys`: create, list and revoke API keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from knative.cli import tables
from knative.cli.connection import connected
from shared.permissions import CUSTOMER_ROLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from shared.apikeys.wire import KeyView

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("keys")
def command() -> None:
    """Create, list and revoke API keys of your organisation."""


@command.command("create")
@click.option("--name", required=True, help="What you call it.")
@click.option(
    "--role", "roles", multiple=True, default=("developer",), show_default=True, type=click.Choice(CUSTOMER_ROLES),
    help="What the key may do; may be given several times.",
)  # fmt: skip
@click.option("--expires-in-days", type=click.IntRange(1, 3650), help="When it ends by itself; never, when left out.")
@_JSON
def create(name: str, roles: tuple[Any, ...], expires_in_days: int | None, *, as_json: bool) -> None:
    """Create a key and print it: this once, it is kept nowhere."""
    with connected(quiet=as_json) as client:
        key = client.keys.create(name, roles, expires_in_days=expires_in_days)
    if as_json:
        click.echo(key.model_dump_json(indent=2))
        return
    click.echo(key.key)
    click.echo(
        f"\nThat is the whole key, shown this once: store it now. It may do what {' and '.join(key.roles)} may, "
        f"{'until ' + _day(key.expires_at) if key.expires_at else 'for as long as it is not revoked'}.\n"
        f"Use it as HAL9_API_KEY; end it with `hal9 keys revoke {key.id}`.",
        err=True,
    )


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Revoked and expired ones as well.")
@_JSON
def list_keys(*, everything: bool, as_json: bool) -> None:
    """List the organisation's keys, newest first."""
    with connected(quiet=as_json) as client:
        keys = [key for key in client.keys.list() if everything or key.revoked_at is None]
    if as_json:
        click.echo(json.dumps([key.model_dump(mode="json") for key in keys], indent=2))
    else:
        show(keys)


@command.command("revoke")
@click.argument("key_id", type=click.UUID)
@_JSON
def revoke(key_id: UUID, *, as_json: bool) -> None:
    """End the key of that id, at once."""
    with connected(quiet=as_json) as client:
        client.keys.revoke(key_id)
    click.echo(json.dumps({"revoked": str(key_id)}) if as_json else f"{key_id} is revoked.")


def show(keys: Sequence[KeyView]) -> None:
    """Print keys as a table."""
    from rich.table import Table

    table = Table("ID", "KEY", "NAME", "ROLES", "MADE BY", "CREATED", "LAST USED", "ENDS", box=None, pad_edge=False)
    for key in keys:
        name, maker = tables.stranger(key.name), tables.stranger(key.made_by or "-")
        table.add_row(str(key.id), f"{key.prefix}_…", name, ", ".join(key.roles), maker, *_times(key))
    tables.console().print(table)


def _times(key: KeyView) -> tuple[str, str, str]:
    ends = f"revoked {_day(key.revoked_at)}" if key.revoked_at else _day(key.expires_at)
    return _day(key.created_at), _day(key.last_used_at), ends


def _day(moment: datetime | None) -> str:
    return "never" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")
