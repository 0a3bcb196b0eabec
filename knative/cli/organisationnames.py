"""Options that name an organisation by its slug or its id."""

from __future__ import annotations

from uuid import UUID

import click


def organisation(context: click.Context, parameter: click.Parameter, value: str) -> UUID:
    """Read such an option, as click's callback.

    Raises:
        click.BadParameter: it is neither.
    """
    del context, parameter
    from shared.shards.organisations import SLUG, organisation_id  # with the database's client

    try:
        return UUID(value)
    except ValueError:
        if not SLUG.fullmatch(value):
            raise click.BadParameter(f"{value!r} is neither an organisation's slug nor its id.") from None
        return organisation_id(value)
