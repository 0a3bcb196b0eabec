"""Options that name an organisation by its slug or its id."""

from __future__ import annotations

from typing import overload
from uuid import UUID

import click


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
