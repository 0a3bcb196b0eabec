"""Options that name an organisation: by its slug or its id, or a new one by its slug."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload
from uuid import UUID

import click

if TYPE_CHECKING:
    import asyncpg

    from shared.database.pool import Transaction


@overload
def organisation(context: click.Context, parameter: click.Parameter, value: str) -> UUID: ...
@overload
def organisation(context: click.Context, parameter: click.Parameter, value: str | None) -> UUID | None: ...
def organisation(context: click.Context, parameter: click.Parameter, value: str | None) -> UUID | None:
    """Read such an option, as click's callback; None where it was not given.

    Raises:
        click.BadParameter: it is neither.
    """
    del context, parameter
    if value is None:
        return None
    from shared.shards.organisations import SLUG, organisation_id  # with the database's client

    try:
        return UUID(value)
    except ValueError:
        if not SLUG.fullmatch(value):
            raise click.BadParameter(f"{value!r} is neither an organisation's slug nor its id.") from None
        return organisation_id(value)


def new_slug(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Read the slug of an organisation that may be new, as click's callback.

    Raises:
        click.BadParameter: it is none.
    """
    from shared.shards.organisations import SLUG

    del context, parameter
    if not SLUG.fullmatch(value):
        raise click.BadParameter(
            f"{value!r} is no slug: use 1 to 63 letters a to z, digits and hyphens; begin with a letter, and end with "
            "a letter or a digit."
        )
    return value


async def require_known(directory: Transaction | asyncpg.Connection[asyncpg.Record], org_id: UUID) -> None:
    """Refuse an organisation that there is not, such as that of a slug that was mistyped.

    Raises:
        click.ClickException: There is none.
    """
    if not await directory.fetchval("SELECT true FROM directory.organisations WHERE org_id = $1", org_id):
        raise click.ClickException(f"There is no such organisation ({org_id}): see `hal9 organisations list`.")
