"""Which servers a command talks to: those of the environment, else those of the local platform that runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from knative.platform.home import Home, PlatformSettings
from shared.settings import SettingsError, load

if TYPE_CHECKING:
    from collections.abc import Sequence


def admin_addresses() -> Sequence[str]:
    """The shards' addresses for the role that owns them: HAL9_SHARDS_ADMIN, else the running platform's.

    Raises:
        click.ClickException: neither is there; the text says what to do.
    """
    try:
        settings = load(PlatformSettings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    if settings.shards_admin:
        return [dsn.strip() for dsn in settings.shards_admin.split(",") if dsn.strip()]
    file = Home.at(settings.home).state_file
    try:
        return list(json.loads(file.read_bytes())["shards_admin"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise click.ClickException(
            f"No platform runs in {file.parent}. Start it with `hal9 up`, or set HAL9_SHARDS_ADMIN to the addresses."
        ) from error
