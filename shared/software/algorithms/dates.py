"""Algorithms of days in the Gregorian calendar, and of lengths of time."""

from __future__ import annotations

from typing import Final

from shared.software.algorithms.contract import Algorithm
from shared.software.algorithms.entries import example, parameter, refused
from shared.software.specification import FieldType, Parameter

_SPAN: Final = (parameter("start", FieldType.DATE), parameter("end", FieldType.DATE))

ALGORITHMS: Final = (
    Algorithm(
        "days_between",
        "Count the days from one date to another",
        _SPAN,
        FieldType.INTEGER,
        None,
        (example(31, start="2024-01-01", end="2024-02-01"), example(-1, start="2024-01-02", end="2024-01-01")),
    ),
    Algorithm(
        "weekdays_between",
        "Count the days from Monday to Friday in a span, its first day included, its last not",
        _SPAN,
        FieldType.INTEGER,
        None,
        (example(5, start="2024-01-01", end="2024-01-08"), refused(start="2024-01-02", end="2024-01-01")),
    ),
    Algorithm(
        "add_days",
        "Give the date a number of days later",
        (parameter("date", FieldType.DATE), parameter("days", FieldType.INTEGER)),
        FieldType.DATE,
        None,
        (example("2024-03-01", date="2024-02-28", days=2),),
    ),
    Algorithm(
        "day_of_week",
        "Name the day of the week of a date",
        (parameter("date", FieldType.DATE),),
        FieldType.STRING,
        None,
        (example("Thursday", date="2024-02-29"),),
    ),
    Algorithm(
        "day_of_year",
        "Give the number of a date's day in its year",
        (parameter("date", FieldType.DATE),),
        FieldType.INTEGER,
        None,
        (example(60, date="2024-02-29"),),
    ),
    Algorithm(
        "week_number",
        "Give the number of a date's week (ISO 8601)",
        (parameter("date", FieldType.DATE),),
        FieldType.INTEGER,
        None,
        (example(9, date="2024-02-29"),),
    ),
    Algorithm(
        "is_leap_year",
        "Tell whether a year of the Gregorian calendar is a leap year",
        (Parameter(name="year", type=FieldType.INTEGER, minimum=1, maximum=9999),),
        FieldType.BOOLEAN,
        None,
        (example(True, year=2024), example(False, year=1900), example(True, year=2000)),
    ),
    Algorithm(
        "age_in_years",
        "Give the age in whole years on a day",
        (parameter("birth_date", FieldType.DATE), parameter("on", FieldType.DATE)),
        FieldType.INTEGER,
        None,
        (example(23, birth_date="2000-03-01", on="2024-02-29"), refused(birth_date="2024-01-02", on="2024-01-01")),
    ),
    Algorithm(
        "format_duration",
        "Write seconds as hours, minutes and seconds (H:MM:SS)",
        (parameter("seconds", FieldType.INTEGER, 0),),
        FieldType.STRING,
        None,
        (example("1:01:05", seconds=3665), refused(seconds=-1)),
    ),
    Algorithm(
        "add_weekdays",
        "Give the date a number of days from Monday to Friday later",
        (parameter("date", FieldType.DATE), Parameter(name="days", type=FieldType.INTEGER, minimum=0, maximum=100_000)),
        FieldType.DATE,
        None,
        (
            example("2024-03-04", date="2024-03-01", days=1),
            example("2024-03-11", date="2024-03-02", days=6),
            refused(date="2024-03-01", days=-1),
        ),
    ),
    Algorithm(
        "is_weekend",
        "Tell whether a date is a Saturday or a Sunday",
        (parameter("date", FieldType.DATE),),
        FieldType.BOOLEAN,
        None,
        (example(True, date="2024-03-02"), example(False, date="2024-03-01")),
    ),
    Algorithm(
        "days_in_month",
        "Give the number of days of a month",
        (
            Parameter(name="year", type=FieldType.INTEGER, minimum=1, maximum=9999),
            Parameter(name="month", type=FieldType.INTEGER, minimum=1, maximum=12),
        ),
        FieldType.INTEGER,
        None,
        (example(29, year=2024, month=2), refused(year=2024, month=13)),
    ),
)
