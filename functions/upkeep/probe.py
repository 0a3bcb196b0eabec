"""`python -m functions.upkeep.probe --id HEX --region REGION --seconds N`: whether events are delivered, as a Job.

Sends one event through the Broker (HAL9_BROKER_URL, HAL9_BROKER_TOKEN), and hears on a shard of HAL9_SHARDS_ADMIN how
far it got: taken by the Broker, received by a function, its reply received as well. Then asks every shard what waits
in outboxes, and how many dead letters the last hour brought.

Promises: the last line on standard output is a `Report` as JSON, however it went; nothing is left behind. Does not:
judge (`knative.deploy.probe` does).

Exit codes: 0 it was tried; 1 a shard does not answer; 2 the command line or a setting is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import asyncpg

from events import catalogue
from events.broker import BrokerConnection, TokenFile
from events.catalogue.upkeep import ProbeRequested
from events.publisher import Publisher, PublisherSettings, Refused, Unpublished
from shared.clock import SystemClock
from shared.eventprobe import SHARD, Report, Told, hearing
from shared.settings import SettingsError, load
from shared.shards.survey import OUTBOX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.clock import Clock

_WAITING: Final = f"""
SELECT pending, oldest_seconds,
       (SELECT count(*) FROM dead_letters WHERE received_at > now() - interval '1 hour') AS dead_letters
  FROM ({OUTBOX}) AS outboxes
"""  # noqa: S608 - a constant
_LAST: Final = frozenset({"answered", "undelivered", "refused"})
_WRONG: Final = 2
_SAYING_SECONDS: Final = 5.0


async def probe(admin: Sequence[str], name: str, region: str, seconds: float, clock: Clock | None = None) -> Report:
    """Send the event, and hear how far it gets.

    Args:
        admin: addresses of the shards for the role that owns the tables, in shard order.
        name: the probe's id, 32 hexadecimal digits.
        region: where this is.
        seconds: for how long to wait at most.
        clock: tells the time.

    Raises:
        SettingsError: HAL9_BROKER_URL is missing.
        OSError, asyncpg.PostgresError: A shard does not answer.
    """
    clock = clock or SystemClock()
    report, begun = Report(), clock.monotonic()
    async with hearing(admin[SHARD], name) as heard:
        sending = asyncio.create_task(_send(heard, name, region, seconds))
        try:
            async with asyncio.timeout(seconds):
                while (told := await heard.get()).what not in _LAST:
                    _note(report, told, clock.monotonic() - begun)
                _note(report, told, clock.monotonic() - begun)
        except TimeoutError:  # the sending ends by the same deadline, and says what kept it
            await asyncio.wait({sending}, timeout=_SAYING_SECONDS)
            while not heard.empty():
                _note(report, heard.get_nowait(), clock.monotonic() - begun)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    for dsn in admin:
        await _count(dsn, report)
    return report


async def _send(heard: asyncio.Queue[Told], name: str, region: str, seconds: float) -> None:
    """Give the event to the Broker, and say how that went; a broker may answer only when all was delivered."""
    settings = load(PublisherSettings)
    connection = BrokerConnection(settings.broker_url)
    token = TokenFile(settings.broker_token) if settings.broker_token is not None else lambda: "none"
    event = catalogue.new(
        ProbeRequested(probe=name), id=name, subject=name, org_id=None, source=catalogue.source("upkeep", region)
    )
    try:
        await Publisher(connection, token, seconds=seconds).publish(event)
    except Refused as error:
        heard.put_nowait(Told("refused", f"{error}: {error.detail}"))
    except Unpublished as error:
        heard.put_nowait(Told("refused", str(error)))
    else:
        heard.put_nowait(Told("taken"))
    finally:
        await connection.close()


def _note(report: Report, told: Told, seconds: float) -> None:
    if told.what == "refused":
        report.refused = told.text
    elif told.what == "undelivered":
        report.undelivered = told.text
    else:
        report.seconds[told.what] = round(seconds, 2)


async def _count(dsn: str, report: Report) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        [row] = await connection.fetch(_WAITING, timeout=30)
    finally:
        await connection.close(timeout=5)
    report.outbox_pending += row["pending"]
    report.outbox_oldest_seconds = round(max(report.outbox_oldest_seconds, row["oldest_seconds"]), 1)
    report.dead_letters += row["dead_letters"]


def main(arguments: Sequence[str]) -> int:
    """Run; give the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # process 1 has no default
    parser = argparse.ArgumentParser(prog="probe", allow_abbrev=False)
    parser.add_argument("--id", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--seconds", required=True, type=float)
    given = parser.parse_args(arguments)
    admin = [dsn.strip() for dsn in os.environ.get("HAL9_SHARDS_ADMIN", "").split(",") if dsn.strip()]
    if not admin:
        sys.stderr.write("set HAL9_SHARDS_ADMIN to the shards' addresses for the role hal9_owner\n")
        return _WRONG
    try:
        load(PublisherSettings)
        report = asyncio.run(probe(admin, given.id, given.region, given.seconds))
    except (SettingsError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return _WRONG
    except (OSError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"a shard does not answer: {type(error).__name__}. Check HAL9_SHARDS_ADMIN.\n")
        return 1
    sys.stdout.write(f"{json.dumps(asdict(report))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
