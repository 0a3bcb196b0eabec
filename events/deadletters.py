"""Dead letters: events that could not be delivered, kept until someone sends them again.

Promises: one row for each event and destination, however often it fails; whatever is read or changed belongs to the
transaction's organisation; what a broker handed to nobody is sent again by itself, `len(PAUSES)` times at most.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from events import codec, outbox
from events.inbox import organisation_of
from shared.function.brokerproof import SECRET_QUERY
from shared.identifiers import new_id

if TYPE_CHECKING:
    import asyncpg

    from events.cloudevent import CloudEvent
    from shared.database.pool import Transaction

MAX_PAGE: Final = 200
"""A page of dead letters is at most this long."""

NOWHERE: Final = "unknown"
"""The destination of a dead letter that names none: no subscriber refused it. Knative's broker filter answers 400 while
it starts and does not know its Triggers, 401 before it has the cluster's keys; its broker tries neither again."""

PAUSES: Final = (5.0, 15.0, 45.0, 135.0, 405.0)
"""Seconds before each further try of what was handed to nobody: together ten minutes, longer than the five that
Kubernetes waits at most before it starts a container that fails again."""

_LONGEST_ERROR: Final = 2000
_WAITS: Final = (
    "coalesce(dead_letters.redriven_at > now()"
    f" AND dead_letters.redriven_at <= now() + interval '{outbox.LONGEST_SECONDS:.0f} s', false)"
)
"""Whether a letter waits to be sent again: not when it was sent before the shard's clock was set back."""

_COLUMNS: Final = (
    "id, source, event_id, event_type, subject, destination, error_code, error, attempts, received_at, redriven_at"
)
_ERROR_DATA_LETTERS: Final = 1024
_PROOF: Final = re.compile(rf"([?&]{SECRET_QUERY}=)[^&\s\"']*")
_TITLE: Final = re.compile(r'"title": ?"((?:[^"\\\x00-\x1f]|\\["\\/])*)"')
_OF_KNATIVE: Final = "knative"
"""What the extensions begin with that its brokers add: errors, hops that are left, time of arrival."""

_KNATIVE: Final = ("knativeerrordest", "knativeerrorcode", "knativeerrordata")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What is known of one event that could not be delivered to one destination, without the event.

    Attributes:
        id: Of the dead letter (UUIDv7).
        source: The event's.
        event_id: The event's.
        event_type: The event's.
        subject: The event's; None in a page also for what an earlier release kept, which did not note it.
        destination: Who should have taken it: a trigger or a deployment, or `broker`.
        error_code: The last answer's HTTP status, None when there was none.
        error: What the last answer said.
        attempts: How often it ended here.
        received_at: When it last did, aware UTC.
        redriven_at: When it was last sent again, None while it was not; before `received_at`, it ended here once more;
            in the future, it is sent again then.
    """

    id: UUID
    source: str
    event_id: str
    event_type: str
    subject: str | None
    destination: str
    error_code: int | None
    error: str
    attempts: int
    received_at: dt.datetime
    redriven_at: dt.datetime | None


async def add(tx: Transaction, event: CloudEvent, *, destination: str, error_code: int | None, error: str) -> UUID:
    """Keep an event that could not be delivered; the same one again counts one attempt more.

    One that waits to be sent again was not tried since: what comes meanwhile tells of the same attempt.

    Raises:
        ValueError: The event names no organisation.
    """
    found: UUID = await tx.fetchval(
        f"""
        INSERT INTO dead_letters
            (org_id, id, source, event_id, event_type, subject, event, destination, error_code, error)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (org_id, destination, source, event_id) DO UPDATE
        SET event = excluded.event, error_code = excluded.error_code, error = excluded.error,
            attempts = dead_letters.attempts + CASE WHEN {_WAITS} THEN 0 ELSE 1 END,
            received_at = now()
        RETURNING id
        """,  # noqa: S608 - a constant
        organisation_of(event),
        new_id(),
        event.source,
        event.id,
        event.type,
        event.subject,
        codec.to_structured(event),
        destination,
        error_code,
        error[:_LONGEST_ERROR].replace("\x00", ""),
    )
    return found


def reason(event: CloudEvent) -> tuple[CloudEvent, str, int | None, str]:
    """Take apart what Knative's dead-letter sink gets: the event as it was sent, destination, error code, error.

    Knative adds `knativeerrordest`, `knativeerrorcode` and `knativeerrordata`; the last one is the answer's body, which
    its own broker writes in base64. The query of an address is left out: it may hold the broker's proof.
    """
    destination, code, data = (event.extensions.get(name) for name in _KNATIVE)
    original = event.with_extensions(**{name: None for name in event.extensions if name.startswith(_OF_KNATIVE)})
    number = int(str(code)) if str(code).isascii() and str(code).isdigit() and len(str(code)) < 5 else None
    error = "" if data is None else _PROOF.sub(r"\1…", _readable(codec.canonical_text(data)))
    return original, str(destination or NOWHERE).partition("?")[0], number, error


def problem_title(error: str) -> str | None:
    """Give the title of the problem document that an answer was; None when it was none.

    It may be cut off, as what Knative keeps of an answer is; a title stands near its beginning.
    """
    found = _TITLE.search(error) if error.startswith("{") else None
    if found is None:
        return None
    return re.sub(r"\\(.)", r"\1", found[1])


def _readable(data: str) -> str:
    """Give the text that base64 stands for; what is no base64 of a text, as it is.

    Knative cuts it after 1024 letters, which may be in the middle of a character.
    """
    try:
        raw = base64.b64decode(data, validate=True)
        text = raw.decode("utf-8", "ignore")
    except ValueError:
        return data
    lost = len(raw) - len(text.encode())
    readable = all(part.isprintable() or part.isspace() for part in text)
    return text if text and readable and lost <= (3 if len(data) == _ERROR_DATA_LETTERS else 0) else data


async def page(tx: Transaction, org_id: UUID, *, limit: int = 50, before: UUID | None = None) -> list[DeadLetter]:
    """Give dead letters, the newest id first; it reads none of their events, whatever these weigh.

    Args:
        tx: The organisation's transaction.
        org_id: The organisation.
        limit: At most so many, up to `MAX_PAGE`.
        before: Only those with a smaller id: the last one of the page before.
    """
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM dead_letters WHERE org_id = $1"  # noqa: S608 - constant columns
        " AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        org_id,
        before,
        min(limit, MAX_PAGE),
    )
    return [DeadLetter(**row) for row in rows]


async def find(tx: Transaction, org_id: UUID, letter_id: UUID) -> tuple[DeadLetter, CloudEvent] | None:
    """Give one dead letter with its event, as it was sent; None when the organisation has none of that id."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS}, event FROM dead_letters WHERE org_id = $1 AND id = $2",  # noqa: S608 - constant columns
        org_id,
        letter_id,
    )
    return None if row is None else _with_event(row)


async def redrive(tx: Transaction, org_id: UUID, letter_id: UUID) -> tuple[DeadLetter, CloudEvent] | None:
    """Put a dead letter's event into the outbox again, as it was; None when the organisation has none of that id.

    Whoever has taken the event meanwhile drops it as a duplicate. Twice in a row sends it twice, which does no harm
    either.
    """
    row = await tx.fetchrow(
        "UPDATE dead_letters SET redriven_at = now() WHERE org_id = $1 AND id = $2"  # noqa: S608 - constant columns
        f" RETURNING {_COLUMNS}, event",
        org_id,
        letter_id,
    )
    if row is None:
        return None
    letter, event = _with_event(row)
    await outbox.add(tx, event)
    return letter, event


async def retry(tx: Transaction, letter_id: UUID, event: CloudEvent) -> bool:
    """Have the event of a dead letter sent again by itself after a pause, longer each time; in `add`'s transaction.

    Returns:
        Whether it will be; False when that was done often enough.
    """
    org_id = organisation_of(event)
    [(attempts, waits)] = await tx.fetch(
        f"SELECT attempts, {_WAITS} FROM dead_letters WHERE org_id = $1 AND id = $2",  # noqa: S608 - a constant
        org_id,
        letter_id,
    )
    if waits or attempts > len(PAUSES):
        return bool(waits)
    seconds = PAUSES[attempts - 1]
    await tx.execute(
        "UPDATE dead_letters SET redriven_at = now() + make_interval(secs => $3) WHERE org_id = $1 AND id = $2",
        org_id,
        letter_id,
        seconds,
    )
    await outbox.add_later(tx, event, seconds)
    return True


def _with_event(row: asyncpg.Record) -> tuple[DeadLetter, CloudEvent]:
    members = dict(row)
    stored = members.pop("event")
    event = codec.from_structured(stored, max_bytes=len(stored))
    members["subject"] = event.subject
    return DeadLetter(**members), event
