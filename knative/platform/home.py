"""One platform's folder (`HAL9_HOME`): where everything of it is, and what it tells other processes.

    HAL9_HOME/format             the layout's version
    HAL9_HOME/state.json         0600: what runs, for `hal9` and for tests
    HAL9_HOME/credentials.json   0600: url, api_key, organisation of the demo organisation
    HAL9_HOME/keys/              signing keys and the trust file; in regions/ what wraps organisations' data keys
    HAL9_HOME/servers/           data folders of PostgreSQL and Valkey
    HAL9_HOME/broker/            the broker's store
    HAL9_HOME/objects/           artefacts
    HAL9_HOME/backups/           backups, unless HAL9_BACKUPS names another place
    HAL9_HOME/archive/           WAL on its way there; once it is there, the platform archives
    HAL9_HOME/logs/              one file for each process
    HAL9_HOME/run/               Unix sockets; elsewhere when that path would be too long for one

Promises: the folder belongs to its user alone (0700); files are replaced whole, never half-written; one supervisor at
a time (flock). Does not: start anything.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from knative.platform.room import NEEDED_BYTES
from shared.diskspace import is_full
from shared.settings import setting, settings

FORMAT: Final = 1
DEFAULT_HOME: Final = Path(".hal9")
_CHECKOUT: Final = Path(__file__).parents[2]
SOCKET_PATH_BYTES: Final = 80
"""A socket's path has at most 107 bytes; this leaves room for the file names below `run`."""

LOCK_SECONDS: Final = 1.0
"""How long a supervisor waits for its lock: whoever asks whether one runs holds it for a moment."""


class HomeError(RuntimeError):
    """The folder cannot be used; the text says what to do."""


@settings
class PlatformSettings:
    """Where the local platform lives, and what it listens on."""

    home: Path = setting("HAL9_HOME", DEFAULT_HOME, "Folder of everything that the local platform keeps.")
    port: int = setting(
        "HAL9_PORT", 9000, "Port of the gateway on 127.0.0.1; 0 takes a free one.", minimum=0, maximum=65535
    )
    shards: str | None = setting(
        "HAL9_SHARDS",
        None,
        "Addresses of the shards, comma-separated, in order; unset starts embedded PostgreSQL servers.",
        secret=True,
    )
    shards_admin: str | None = setting(
        "HAL9_SHARDS_ADMIN", None, "The same with the role that migrates; needed with HAL9_SHARDS.", secret=True
    )
    shard_count: int | None = setting(
        "HAL9_SHARD_COUNT",
        None,
        "Embedded PostgreSQL servers; unset as many as before, 3 at first. More than before are empty until "
        "`hal9 shards add`.",
        minimum=1,
        maximum=16,
    )
    cache: str | None = setting(
        "HAL9_CACHE_URL", None, "Address of the cache; unset starts an embedded Valkey.", secret=True
    )
    region: str = setting("HAL9_REGION", "us-west", "The region that this platform is.")
    instances: int = setting(
        "HAL9_INSTANCES", 4, "Instances of one deployment at most, below what function.toml allows.", minimum=1
    )
    replicas: int = setting(
        "HAL9_REPLICAS", 0, "Replicas of each embedded PostgreSQL server, with failover: 0 or 1.", minimum=0, maximum=1
    )
    hostile: str = setting(
        "HAL9_BROKER_HOSTILE",
        "",
        "Makes the local broker hostile, for tests: duplicate=N,delay=S,reorder=1,fail=RATE,seed=N.",
    )


@dataclass(frozen=True, slots=True)
class Home:
    """The paths of one platform.

    Attributes:
        path: The folder, absolute.
    """

    path: Path

    @classmethod
    def at(cls, path: Path) -> Home:
        """Give the home at a path, which need not exist; the default one is in the checkout, wherever one stands."""
        if path == DEFAULT_HOME and (_CHECKOUT / "pyproject.toml").is_file():
            return cls(_CHECKOUT / path)
        return cls(path.expanduser().absolute())

    @property
    def mark(self) -> str:
        """What marks the processes of this platform."""
        return hashlib.sha256(str(self.path).encode()).hexdigest()[:24]

    @property
    def state_file(self) -> Path:
        """What runs."""
        return self.path / "state.json"

    @property
    def lock_file(self) -> Path:
        """Held by the supervisor, which writes there who it is."""
        return self.path / "supervisor.lock"

    @property
    def credentials_file(self) -> Path:
        """The demo organisation's key."""
        return self.path / "credentials.json"

    @property
    def keys(self) -> Path:
        """Signing keys."""
        return self.path / "keys"

    @property
    def trust_file(self) -> Path:
        """The public halves of all signing keys."""
        return self.keys / "trust.json"

    @property
    def master_keys(self) -> Path:
        """The regions' master keys, which wrap organisations' data keys."""
        return self.keys / "regions"

    @property
    def servers(self) -> Path:
        """Data folders of PostgreSQL and Valkey."""
        return self.path / "servers"

    @property
    def broker(self) -> Path:
        """The broker's store."""
        return self.path / "broker"

    @property
    def objects(self) -> Path:
        """Artefacts."""
        return self.path / "objects"

    @property
    def backups(self) -> Path:
        """Backups, where no other place is named."""
        return self.path / "backups"

    @property
    def archive(self) -> Path:
        """WAL on its way to the backups; the first backup makes the folder."""
        return self.path / "archive"

    @property
    def defaults(self) -> dict[str, str]:
        """What HAL9_OBJECTS, HAL9_DATA_KEYS and HAL9_BACKUPS stand for where nobody has set them."""
        folders = {"HAL9_OBJECTS": self.objects, "HAL9_DATA_KEYS": self.master_keys, "HAL9_BACKUPS": self.backups}
        return {name: f"file://{quote(str(folder))}" for name, folder in folders.items()}

    @property
    def logs(self) -> Path:
        """Logs."""
        return self.path / "logs"

    @property
    def run(self) -> Path:
        """Sockets; below the system's temporary folder when the path here would be too long.

        Or when it has a comma: in PostgreSQL's list of folders for sockets that ends one.
        """
        inside = self.path / "run"
        if len(os.fsencode(inside)) <= SOCKET_PATH_BYTES and "," not in str(inside):
            return inside
        return Path(tempfile.gettempdir()) / f"hal9-{os.getuid()}-{self.mark[:12]}"

    @property
    def broker_socket(self) -> Path:
        """Where the broker listens."""
        return self.run / "broker.sock"

    @property
    def control_socket(self) -> Path:
        """Where the supervisor tells what runs."""
        return self.run / "control.sock"

    def deployment_socket(self, name: str) -> Path:
        """Where the activator listens for one deployment."""
        return self.run / f"{name}.sock"

    def instance_socket(self, name: str, number: int) -> Path:
        """Where one instance listens."""
        return self.run / "instances" / f"{name}-{number}.sock"

    @property
    def function_url(self) -> str:
        """The template of HAL9_FUNCTION_URL."""
        return f"unix:{self.run}/{{deployment}}.sock"

    def log(self, name: str) -> Path:
        """Give the log of one process."""
        return self.logs / f"{name}.log"

    def make(self) -> None:
        """Make the folders and check that they can be used.

        Raises:
            HomeError: Not writable, another version's, or no space; the text says what to do.
        """
        try:
            for folder in (self.path, self.keys, self.broker, self.objects, self.logs):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.chmod(0o700)
            self._make_run()
            self._check_room()
            self._check_format()
        except OSError as error:
            raise _unusable(self.path, error) from error

    def _make_run(self) -> None:
        self.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        about = self.run.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
            raise HomeError(
                f"{self.run} belongs to somebody else: remove it, or set HAL9_HOME to a folder with a shorter path."
            )
        self.run.chmod(0o700)
        (self.run / "instances").mkdir(exist_ok=True, mode=0o700)

    def _check_room(self) -> None:
        if self.free_bytes() < NEEDED_BYTES:
            raise _full(self.path)

    def free_bytes(self) -> int:
        """Give the room that is left on the disk that holds it."""
        return shutil.disk_usage(self.path).free

    def fault(self) -> str | None:
        """Say what is wrong with its disk, and what to do; None when there is room."""
        free = self.free_bytes()
        if free >= NEEDED_BYTES:
            return None
        return (
            f"The disk that holds {self.path} has {free // 2**20} MB left: free at least {NEEDED_BYTES // 2**20} MB; "
            "what was saved is not lost."
        )

    def _check_format(self) -> None:
        file = self.path / "format"
        if not file.exists():
            replace(file, f"{FORMAT}\n".encode(), 0o600)
        found = file.read_text(encoding="ascii", errors="replace").strip()
        if found != str(FORMAT):
            raise HomeError(
                f"The folder {self.path} was made by another version of HAL9 (format {found[:20]!r}, this one is "
                f"{FORMAT}): run the release that made it, or set HAL9_HOME to another folder."
            )

    def lock(self) -> int:
        """Become this folder's supervisor; the lock ends with the process. Give its file descriptor.

        Raises:
            HomeError: Another one runs.
        """
        descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        limit = time.monotonic() + LOCK_SECONDS
        while not _flock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > limit:
                os.close(descriptor)
                raise HomeError(
                    f"A platform already runs in {self.path}: see `hal9 status`, or stop it with `hal9 down`."
                )
            time.sleep(0.02)
        return descriptor

    @property
    def locked(self) -> bool:
        """Whether a supervisor runs."""
        try:
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return not _flock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def write_state(self, state: dict[str, Any]) -> None:
        """Replace the state."""
        replace(self.state_file, json.dumps(state, indent=1).encode(), 0o600)

    def read_state(self) -> dict[str, Any] | None:
        """Give the state that a supervisor wrote last; None when there is none."""
        try:
            state: dict[str, Any] = json.loads(self.state_file.read_bytes())
        except (OSError, ValueError):
            return None
        return state


def _flock(descriptor: int, kind: int) -> bool:
    """Take a lock if it is free; whether it was."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def replace(path: Path, content: bytes, mode: int) -> None:
    """Replace a file's content atomically."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _full(path: Path) -> HomeError:
    return HomeError(
        f"The disk that holds {path} is full: free at least {NEEDED_BYTES // 2**20} MB, or set HAL9_HOME to a folder "
        "on another disk; what was saved is not lost."
    )


def _unusable(path: Path, error: OSError) -> HomeError:
    if is_full(error):
        return _full(path)
    if isinstance(error, FileExistsError | NotADirectoryError):
        file = next((one for one in (path, *path.parents) if one.exists() and not one.is_dir()), path)
        return HomeError(
            f"The folder {path} cannot be made, as {file} is a file: move it away, or set HAL9_HOME to another path."
        )
    return HomeError(
        f"The folder {path} cannot be used ({error.strerror}): make it writable, or set HAL9_HOME to another one."
    )
