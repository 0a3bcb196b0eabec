"""Options that name an organisation: by its slug or its id, or a new one by its slug."""

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
