"""The settings of backups."""

from __future__ import annotations

from shared.settings import setting, settings


@settings
class BackupSettings:
    """Where backups go, how often they are made, how long they are kept."""

    store: str | None = setting(
        "HAL9_BACKUPS",
        None,
        "Where backups and archived WAL go: file:///folder, or s3://bucket/prefix (credentials as boto3 finds them). "
        "Unset: the folder `backups` in HAL9_HOME, which a lost disk takes along.",
    )
    s3_endpoint: str | None = setting(
        "HAL9_BACKUPS_S3_ENDPOINT", None, "Address of a server that speaks S3, when it is not Amazon's."
    )
    shards: str | None = setting(
        "HAL9_BACKUP_SHARDS",
        None,
        "Addresses of the shards for a role that may replicate (hal9_backup), comma-separated, in order, not through a "
        "pooler; unset takes the running local platform's.",
        secret=True,
    )
    region: str = setting("HAL9_REGION", "us-west", "The region whose master key wraps the backups' keys.")
    wal_seconds: float = setting(
        "HAL9_BACKUP_WAL_SECONDS",
        10.0,
        "Seconds between two uploads of the WAL that was written: what a lost disk can take at most.",
        minimum=1,
        maximum=3600,
    )
    spool_megabytes: float = setting(
        "HAL9_BACKUP_SPOOL_MEGABYTES",
        1024.0,
        "Of WAL of one shard that may wait for the store on the archiver's disk; then it waits on the server.",
        minimum=64,
    )
    keep_days: float = setting(
        "HAL9_BACKUP_KEEP_DAYS",
        14.0,
        "Days back to which every moment can be restored; what is older is deleted, but for what these days need.",
        minimum=0,
    )
    chain: int = setting(
        "HAL9_BACKUP_CHAIN",
        7,
        "Incremental backups after a full one, at most; the next one is full.",
        minimum=0,
        maximum=100,
    )
    port: int = setting(
        "HAL9_BACKUP_PORT",
        0,
        "Port on which the archiver answers /metrics and /healthz, on every address; 0 for none.",
        minimum=0,
        maximum=65535,
    )
    every_hours: float = setting(
        "HAL9_BACKUP_EVERY_HOURS",
        24.0,
        "Hours between the backups that the archiver makes by itself; 0 for none.",
        minimum=0,
    )
    test_hours: float = setting(
        "HAL9_BACKUP_TEST_HOURS",
        168.0,
        "Hours between the restore tests that the archiver makes by itself; 0 for none.",
        minimum=0,
    )
