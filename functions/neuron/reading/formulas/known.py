"""Formulas that people name without writing them down: areas, volumes, interest, a body mass index, arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Known:
    """A formula that people name: its parameters (name, type, default), and its result.

    `words`: alternatives of words, all of which must occur.
    """

    name: str
    words: tuple[str, ...]
    parameters: tuple[tuple[str, str, float | None], ...]
    expression: str
    description: str
    refuses: tuple[tuple[str, str], ...] = ()

    @property
    def said(self) -> frozenset[str]:
        """The words that people say of it."""
        return frozenset(word for alternative in self.words for word in alternative.split())


_POSITIVE: Final = "must be greater than zero"


def _positive(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"{name} <= 0", f"The {name.replace('_', ' ')} {_POSITIVE}.") for name in names)


def _not_negative(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"{name} < 0", f"The {name.replace('_', ' ')} must not be negative.") for name in names)


KNOWN: Final[tuple[Known, ...]] = (
    Known(
        "bmi",
        ("bmi", "body mass index"),
        (("weight", "number", None), ("height", "number", None)),
        "weight / height ** 2",
        "Compute the body mass index from kilograms and metres",
        _positive("weight", "height"),
    ),
    Known(
        "circle_area",
        ("area circle",),
        (("radius", "number", None),),
        "3.141592653589793 * radius ** 2",
        "Compute the area of a circle",
        _not_negative("radius"),
    ),
    Known(
        "circle_circumference",
        ("circumference", "perimeter circle"),
        (("radius", "number", None),),
        "2 * 3.141592653589793 * radius",
        "Compute the circumference of a circle",
        _not_negative("radius"),
    ),
    Known(
        "rectangle_area",
        ("area rectangle",),
        (("width", "number", None), ("height", "number", None)),
        "width * height",
        "Compute the area of a rectangle",
        _not_negative("width", "height"),
    ),
    Known(
        "rectangle_perimeter",
        ("perimeter rectangle",),
        (("width", "number", None), ("height", "number", None)),
        "2 * (width + height)",
        "Compute the perimeter of a rectangle",
        _not_negative("width", "height"),
    ),
    Known(
        "square_area",
        ("area square",),
        (("side", "number", None),),
        "side ** 2",
        "Compute the area of a square",
        _not_negative("side"),
    ),
    Known(
        "triangle_area",
        ("area triangle",),
        (("base", "number", None), ("height", "number", None)),
        "base * height / 2",
        "Compute the area of a triangle",
        _not_negative("base", "height"),
    ),
    Known(
        "sphere_volume",
        ("volume sphere",),
        (("radius", "number", None),),
        "4 / 3 * 3.141592653589793 * radius ** 3",
        "Compute the volume of a sphere",
        _not_negative("radius"),
    ),
    Known(
        "cylinder_volume",
        ("volume cylinder",),
        (("radius", "number", None), ("height", "number", None)),
        "3.141592653589793 * radius ** 2 * height",
        "Compute the volume of a cylinder",
        _not_negative("radius", "height"),
    ),
    Known(
        "cube_volume",
        ("volume cube",),
        (("side", "number", None),),
        "side ** 3",
        "Compute the volume of a cube",
        _not_negative("side"),
    ),
    Known(
        "cone_volume",
        ("volume cone",),
        (("radius", "number", None), ("height", "number", None)),
        "3.141592653589793 * radius ** 2 * height / 3",
        "Compute the volume of a cone",
        _not_negative("radius", "height"),
    ),
    Known(
        "hypotenuse",
        ("hypotenuse",),
        (("first", "number", None), ("second", "number", None)),
        "sqrt(first ** 2 + second ** 2)",
        "Compute the hypotenuse of a right triangle",
        _positive("first", "second"),
    ),
    Known(
        "point_distance",
        ("distance point",),
        (("x1", "number", None), ("y1", "number", None), ("x2", "number", None), ("y2", "number", None)),
        "sqrt((x2 - x1) ** 2 + (y2 - y1) ** 2)",
        "Compute the distance between two points",
    ),
    Known(
        "simple_interest",
        ("simple interest",),
        (("principal", "number", None), ("rate", "number", None), ("years", "number", None)),
        "principal * rate / 100 * years",
        "Compute simple interest; the rate is in percent a year",
        _not_negative("principal", "years"),
    ),
    Known(
        "compound_interest",
        ("compound interest",),
        (
            ("principal", "number", None),
            ("rate", "number", None),
            ("years", "number", None),
            ("periods_per_year", "number", 1),
        ),
        "principal * (1 + rate / 100 / periods_per_year) ** (periods_per_year * years)",
        "Compute what a principal grows to; the rate is in percent a year",
        (*_not_negative("principal", "years"), *_positive("periods_per_year")),
    ),
    Known(
        "loan_payment",
        (
            "loan payment",
            "mortgage payment",
            "monthly payment",
            "monthly instalment",
            "monthly installment",
            "annuity payment",
        ),
        (("principal", "number", None), ("annual_rate", "number", None), ("months", "integer", None)),
        "",
        "Compute the monthly payment of a loan; the rate is in percent a year",
        (*_positive("principal", "months"), *_not_negative("annual_rate")),
    ),
    Known(
        "loan_interest",
        ("total interest loan", "total interest principal", "total interest mortgage", "interest paid loan"),
        (("principal", "number", None), ("annual_rate", "number", None), ("months", "integer", None)),
        "",
        "Compute all interest that is paid on a loan; the rate is in percent a year",
        (*_positive("principal", "months"), *_not_negative("annual_rate")),
    ),
    Known(
        "tip",
        ("tip",),
        (("bill", "number", None), ("percent", "number", 15)),
        "bill * percent / 100",
        "Compute the tip for a bill",
        _not_negative("bill", "percent"),
    ),
    Known(
        "bill_share",
        ("split bill", "share bill person", "divide bill"),
        (("bill", "number", None), ("people", "integer", None)),
        "bill / people",
        "Compute what each person pays",
        (*_not_negative("bill"), *_positive("people")),
    ),
    Known(
        "discounted_price",
        ("discount price", "apply discount", "discounted"),
        (("price", "number", None), ("percent", "number", None)),
        "price * (1 - percent / 100)",
        "Compute the price after a discount in percent",
        (*_not_negative("price"), ("percent < 0 or percent > 100", "The discount must lie between 0 and 100 percent.")),
    ),
    Known(
        "price_with_tax",
        ("vat", "sales tax", "add tax", "tax price", "price tax"),
        (("price", "number", None), ("percent", "number", 20)),
        "price * (1 + percent / 100)",
        "Compute the price with tax",
        _not_negative("price", "percent"),
    ),
    Known(
        "percentage_of",
        ("percentage of number", "percent of number", "what percentage"),
        (("part", "number", None), ("whole", "number", None)),
        "part / whole * 100",
        "Compute which percentage of a whole a part is",
        (("whole == 0", "The whole must not be zero."),),
    ),
    Known(
        "percentage_change",
        ("percentage change", "percent change", "percentage increase", "percentage difference"),
        (("old", "number", None), ("new", "number", None)),
        "(new - old) / abs(old) * 100",
        "Compute the change from an old to a new value in percent",
        (("old == 0", "The old value must not be zero."),),
    ),
    Known(
        "speed",
        ("speed distance time", "average speed"),
        (("distance", "number", None), ("time", "number", None)),
        "distance / time",
        "Compute the speed from distance and time",
        _positive("time"),
    ),
    Known(
        "fuel_consumption",
        ("fuel consumption", "fuel economy"),
        (("litres", "number", None), ("kilometres", "number", None)),
        "litres / kilometres * 100",
        "Compute the fuel consumption in litres for 100 kilometres",
        (*_not_negative("litres"), *_positive("kilometres")),
    ),
    Known(
        "profit_margin",
        ("profit margin",),
        (("revenue", "number", None), ("cost", "number", None)),
        "(revenue - cost) / revenue * 100",
        "Compute the profit margin in percent",
        _positive("revenue"),
    ),
    Known(
        "return_on_investment",
        ("return investment", "roi"),
        (("gain", "number", None), ("cost", "number", None)),
        "(gain - cost) / cost * 100",
        "Compute the return on an investment in percent",
        _positive("cost"),
    ),
    Known(
        "kinetic_energy",
        ("kinetic energy",),
        (("mass", "number", None), ("velocity", "number", None)),
        "0.5 * mass * velocity ** 2",
        "Compute kinetic energy",
        _not_negative("mass"),
    ),
    Known(
        "square_root",
        ("square root",),
        (("number", "number", None),),
        "sqrt(number)",
        "Compute the square root of a number",
        _not_negative("number"),
    ),
    Known(
        "absolute_value",
        ("absolute value",),
        (("number", "number", None),),
        "abs(number)",
        "Compute the absolute value of a number",
    ),
)

TAX_AMOUNT: Final = Known(
    "tax_amount",
    ("vat", "tax"),
    (("price", "number", None), ("percent", "number", 20)),
    "price * percent / 100",
    "Compute the tax on a net price",
    _not_negative("price", "percent"),
)

_TWO: Final = (("first", "number", None), ("second", "number", None))
ARITHMETIC: Final[dict[str, Known]] = {
    "add": Known("add", ("add",), _TWO, "first + second", "Add two numbers"),
    "sum": Known("add", ("sum",), _TWO, "first + second", "Add two numbers"),
    "subtract": Known("subtract", ("subtract",), _TWO, "first - second", "Subtract the second number from the first"),
    "multiply": Known("multiply", ("multiply",), _TWO, "first * second", "Multiply two numbers"),
    "divide": Known(
        "divide",
        ("divide",),
        _TWO,
        "first / second",
        "Divide the first number by the second",
        (("second == 0", "Division by zero is not possible."),),
    ),
    "power": Known("power", ("power",), _TWO, "first ** second", "Raise the first number to the power of the second"),
    "modulo": Known(
        "modulo",
        ("modulo",),
        _TWO,
        "first % second",
        "Compute the remainder of a division",
        (("second == 0", "Division by zero is not possible."),),
    ),
}
ARITHMETIC_NOUNS: Final = {
    "addition": "add",
    "subtraction": "subtract",
    "multiplication": "multiply",
    "division": "divide",
    "exponentiation": "power",
    "modulo": "modulo",
    "remainder": "modulo",
    "powers": "power",
}
