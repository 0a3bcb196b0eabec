"""Timestamps as RFC 3339 writes them (the CloudEvents type `Timestamp`).

Promises: takes all that RFC 3339's grammar takes (lower-case `t` and `z`, any number of fraction digits, leap seconds
where one can be) and nothing else.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

_TIMESTAMP: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
# The usual spelling, in UTC, each field in a range that needs no calendar. Written so that it is quick.
_PLAIN: Final = re.compile(
    r"[1-9][0-9][0-9][0-9]-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:Z|\.[0-9]{1,12}Z)"
)
plain_timestamp: Final = _PLAIN.fullmatch
"""Match of a timestamp in its usual spelling, which needs no further look; None says nothing."""

_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MAX_LENGTH: Final = 64


def timestamp_fault(text: str) -> str | None:
    """Say why `text` is no RFC 3339 timestamp, or None when it is one."""
    if plain_timestamp(text):
        return None
    match = _TIMESTAMP.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None:
        return "must be a timestamp (RFC 3339), such as 2026-11-23T12:30:00Z"
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if not 1 <= month <= 12 or not 1 <= day <= _days(year, month):
        return "must be a timestamp (RFC 3339): there is no such day"
    if hour > 23 or minute > 59 or second > 60:
        return "must be a timestamp (RFC 3339): there is no such time of day"
    if match[8] and (int(match[9]) > 23 or int(match[10]) > 59):
        return "must be a timestamp (RFC 3339): there is no such offset from UTC"
    if second == 60 and not _may_leap(hour, minute, match):
        return "must be a timestamp (RFC 3339): a second 60 stands only at 23:59 UTC"
    return None


def to_datetime(text: str) -> dt.datetime:
    """Give an RFC 3339 timestamp as an aware datetime in UTC.

    It is cut to the microsecond; a leap second becomes the second after.

    Raises:
        ValueError: `text` is no RFC 3339 timestamp, or lies outside what datetime can hold (the year 0000).
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(f"no RFC 3339 timestamp: {text!r}")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    microsecond = int(((match[7] or "") + "000000")[:6])
    plain = dt.datetime(year, month, day, hour, minute, min(second, 59), microsecond, tzinfo=dt.UTC)
    try:
        return plain + dt.timedelta(seconds=second // 60) - _offset(match)
    except OverflowError:
        raise ValueError(f"outside the years 1 to 9999 in UTC: {text!r}") from None


def to_text(moment: dt.datetime) -> str:
    """Write an aware datetime as RFC 3339 in UTC, with microseconds when there are any.

    Raises:
        ValueError: `moment` is naive.
    """
    if moment.tzinfo is None:
        raise ValueError("a timestamp needs a time zone")
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat() + "Z"


def _days(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else _DAYS[month - 1]


def _offset(match: re.Match[str]) -> dt.timedelta:
    if not match[8]:
        return dt.timedelta()
    offset = dt.timedelta(hours=int(match[9]), minutes=int(match[10]))
    return offset if match[8] == "+" else -offset


def _may_leap(hour: int, minute: int, match: re.Match[str]) -> bool:
    """Leap seconds are inserted at 23:59:60 UTC; which days had one is not in the grammar."""
    utc = dt.timedelta(hours=hour, minutes=minute) - _offset(match)
    return utc % dt.timedelta(days=1) == dt.timedelta(hours=23, minutes=59)
