"""Algorithms of days in the Gregorian calendar, and of lengths of time."""

from __future__ import annotations

import calendar
import datetime


def days_between(start: datetime.date, end: datetime.date) -> int:
    """Count the days from one date to another."""
    return (end - start).days


def weekdays_between(start: datetime.date, end: datetime.date) -> int:
    """Count the days from Monday to Friday in a span, its first day included, its last not."""
    if end < start:
        raise ValueError("The end must not lie before the start.")
    weeks, rest = divmod((end - start).days, 7)
    return weeks * 5 + sum((start.weekday() + day) % 7 < 5 for day in range(rest))


def add_days(date: datetime.date, days: int) -> datetime.date:
    """Give the date a number of days later."""
    try:
        return date + datetime.timedelta(days=days)
    except OverflowError as error:
        raise ValueError("That date lies outside the calendar.") from error


def day_of_week(date: datetime.date) -> str:
    """Name the day of the week of a date."""
    return calendar.day_name[date.weekday()]


def day_of_year(date: datetime.date) -> int:
    """Give the number of a date's day in its year."""
    return date.timetuple().tm_yday


def week_number(date: datetime.date) -> int:
    """Give the number of a date's week (ISO 8601)."""
    return date.isocalendar().week


def is_leap_year(year: int) -> bool:
    """Tell whether a year of the Gregorian calendar is a leap year."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def age_in_years(birth_date: datetime.date, on: datetime.date) -> int:
    """Give the age in whole years on a day."""
    if on < birth_date:
        raise ValueError("The day must not lie before the birth.")
    return on.year - birth_date.year - ((on.month, on.day) < (birth_date.month, birth_date.day))


def format_duration(seconds: int) -> str:
    """Write seconds as hours, minutes and seconds (H:MM:SS)."""
    if seconds < 0:
        raise ValueError("The seconds must not be negative.")
    minutes, rest = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def add_weekdays(date: datetime.date, days: int) -> datetime.date:
    """Give the date a number of days from Monday to Friday later."""
    if not 0 <= days <= 100_000:
        raise ValueError("The number of days must be from 0 to 100000.")
    for _ in range(days):
        date += datetime.timedelta(days=1)
        while date.weekday() > 4:
            date += datetime.timedelta(days=1)
    return date


def is_weekend(date: datetime.date) -> bool:
    """Tell whether a date is a Saturday or a Sunday."""
    return date.weekday() > 4


def days_in_month(year: int, month: int) -> int:
    """Give the number of days of a month."""
    if not 1 <= year <= 9999:
        raise ValueError("The year must be from 1 to 9999.")
    if not 1 <= month <= 12:
        raise ValueError("The month must be from 1 to 12.")
    return calendar.monthrange(year, month)[1]
