"""Which servers, store and keys backups work with: the environment's, else those of the local platform in HAL9_HOME."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from knative.platform.environment import SUPERUSER, as_role
from knative.platform.home import Home, PlatformSettings
from shared.backup import BackupError, BackupSettings, Places, Shard, open_repository
from shared.clock import SystemClock
from shared.datakeys import DataKeySettings, open_master_keys
from shared.settings import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.backup.repository import Repository

_PATIENCE_SECONDS: Final = 60.0


class Backups:
    """What the commands and the archiver work with.

    Args:
        environ: The environment; the process's own when None.

    Raises:
        SettingsError: A setting is wrong.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        own = {name: value for name, value in (os.environ if environ is None else environ).items() if value}
        self._platform = load(PlatformSettings, own)
        self.home = Home.at(self._platform.home)
        self._state = self.home.read_state() if self.home.locked else None
        defaults = self.home.defaults
        if self._state is not None and "region" in self._state:
            defaults["HAL9_REGION"] = str(self._state["region"])
        self.settings = load(BackupSettings, defaults | own)
        self._keys = load(DataKeySettings, defaults | own)

    @property
    def reachable(self) -> bool:
        """Whether there are servers to ask: named ones, or a platform that runs."""
        return self._platform.shards_admin is not None or self._state is not None

    @property
    def master_keys(self) -> Path | None:
        """The folder of the master keys, when they are files."""
        address = urlsplit(self._keys.url or "")
        return Path(unquote(address.path)) if address.scheme == "file" else None

    def repository(self) -> Repository:
        """The store.

        Raises:
            BackupError: A setting says where it is, or where the keys are, in no way that is known.
        """
        try:
            masters = open_master_keys(self._keys)
        except ValueError as error:
            raise BackupError(str(error)) from None
        return open_repository(self.settings, masters)

    def places(self) -> Places:
        """What to back up, and where to; makes the spool, by which the local platform knows that it is to archive.

        Raises:
            BackupError: It is not known where the servers are.
        """
        admins = self._admins()
        addresses = self._addresses(admins)
        if len(addresses) != len(admins):
            raise BackupError("HAL9_BACKUP_SHARDS and HAL9_SHARDS_ADMIN name different numbers of servers.")
        shards = [Shard(number, *pair) for number, pair in enumerate(zip(addresses, admins, strict=True))]
        repository = self.repository()
        self.home.archive.mkdir(parents=True, exist_ok=True, mode=0o700)
        patience = self.settings.wal_seconds + _PATIENCE_SECONDS
        return Places(shards, repository, self.home.archive, SystemClock(), patience)

    def _admins(self) -> Sequence[str]:
        if self._platform.shards_admin:
            return _split(self._platform.shards_admin)
        if self._state is None:
            raise BackupError(
                f"No platform runs in {self.home.path}. Start it with `hal9 up`, or set HAL9_SHARDS_ADMIN and "
                "HAL9_BACKUP_SHARDS to the addresses."
            )
        return [str(address) for address in self._state["shards_admin"]]

    def _addresses(self, admins: Sequence[str]) -> Sequence[str]:
        if self.settings.shards:
            return _split(self.settings.shards)
        if self._platform.shards_admin:
            raise BackupError(
                "HAL9_BACKUP_SHARDS is not set: name the servers of HAL9_SHARDS_ADMIN with a role that may replicate "
                "(hal9_backup), not through a pooler."
            )
        return [as_role(SUPERUSER, address) for address in admins]


def _split(addresses: str) -> list[str]:
    return [address.strip() for address in addresses.split(",") if address.strip()]
