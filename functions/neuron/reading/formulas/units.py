"""Units of measure, their names, and the formulas that convert between two of a dimension."""

from __future__ import annotations

from typing import Final

# dimension -> unit -> (factor to the dimension's base unit, further words)
UNITS: Final[dict[str, dict[str, tuple[float, str]]]] = {
    "length": {
        "millimetres": (0.001, "millimeters mm millimetre millimeter"),
        "centimetres": (0.01, "centimeters cm centimetre centimeter"),
        "metres": (1.0, "meters m metre meter"),
        "kilometres": (1000.0, "kilometers km kilometre kilometer kms"),
        "inches": (0.0254, "inch"),
        "feet": (0.3048, "foot ft"),
        "yards": (0.9144, "yard yd"),
        "miles": (1609.344, "mile mi"),
        "nautical_miles": (1852.0, "nm"),
    },
    "mass": {
        "milligrams": (0.000001, "mg milligram"),
        "grams": (0.001, "g gram"),
        "kilograms": (1.0, "kg kilogram kilos kilo kgs"),
        "tonnes": (1000.0, "tonne tons ton"),
        "ounces": (0.028349523125, "ounce oz"),
        "pounds": (0.45359237, "pound lb lbs"),
        "stones": (6.35029318, "stone"),
    },
    "volume": {
        "millilitres": (0.001, "milliliters ml millilitre milliliter"),
        "litres": (1.0, "liters l litre liter"),
        "gallons": (3.785411784, "gallon"),
        "pints": (0.473176473, "pint"),
        "cups": (0.2365882365, "cup"),
    },
    "speed": {
        "kilometres_per_hour": (1.0, "kmh km/h kph"),
        "miles_per_hour": (1.609344, "mph"),
        "metres_per_second": (3.6, "m/s"),
        "knots": (1.852, "knot"),
    },
    "data": {
        "bytes": (1.0, "byte"),
        "kilobytes": (1000.0, "kilobyte kb"),
        "megabytes": (1000.0**2, "megabyte mb"),
        "gigabytes": (1000.0**3, "gigabyte gb"),
        "terabytes": (1000.0**4, "terabyte tb"),
    },
    "duration": {
        "seconds": (1.0, "second"),
        "minutes": (60.0, "minute"),
        "hours": (3600.0, "hour"),
        "days": (86400.0, "day"),
        "weeks": (604800.0, "week"),
    },
    "temperature": {"celsius": (1.0, "centigrade c"), "fahrenheit": (1.0, "f"), "kelvin": (1.0, "k kelvins")},
}
UNIT_WORDS: Final[dict[str, tuple[str, str]]] = {
    word: (dimension, unit)
    for dimension, units in UNITS.items()
    for unit, (_, further) in units.items()
    for word in (unit, *further.split())
    if len(word) > 1
}
_TEMPERATURES: Final = {
    ("celsius", "fahrenheit"): "{} * 9 / 5 + 32",
    ("fahrenheit", "celsius"): "({} - 32) * 5 / 9",
    ("celsius", "kelvin"): "{} + 273.15",
    ("kelvin", "celsius"): "{} - 273.15",
    ("fahrenheit", "kelvin"): "({} - 32) * 5 / 9 + 273.15",
    ("kelvin", "fahrenheit"): "({} - 273.15) * 9 / 5 + 32",
}
ABSOLUTE_ZERO: Final = {"celsius": "-273.15", "fahrenheit": "-459.67", "kelvin": "0"}


def conversion(source: str, target: str, name: str) -> str:
    """Give the expression that converts the value called `name` from one unit to another of the same dimension."""
    if source == target:
        return name
    if (source, target) in _TEMPERATURES:
        return _TEMPERATURES[source, target].format(name)
    dimension = UNIT_WORDS[source][0]
    up, down = UNITS[dimension][source][0], UNITS[dimension][target][0]
    ratio = up / down
    back = down / up
    if ratio >= 1 or abs(back - round(back)) > 1e-9:
        return f"{name} * {_plain(ratio)}"
    return f"{name} / {_plain(back)}"


def _plain(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(round(value, 12))
