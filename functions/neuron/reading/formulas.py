"""Reads formulas in words: "weight divided by height squared", "15% of the bill".

"price times quantity minus discount".

A small expression grammar over tokens (sums of products of factors), and a catalogue of formulas and units that
people name without writing them down.
What it gives are expressions in the language of `Computation`: Python's arithmetic over the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology, quantities
from functions.neuron.reading.tokens import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token

_SUMS: Final = {"plus": "+", "+": "+", "minus": "-", "-": "-", "\u2212": "-", "less": "-"}
_PRODUCTS: Final = {"times": "*", "\u00d7": "*", "*": "*", "x": "*", "·": "*", "/": "/", "÷": "/", "over": "/"}
_DEPTH: Final = 12


@dataclass
class Formula:
    """An expression that was read, with the parameters that it names, in order."""

    text: str = ""
    names: list[str] = field(default_factory=list)
    operators: int = 0


_NUMBER_WORDS: Final = lexicon.words("euro euros dollars dollar eur usd pounds %")


class _Parser:
    """Recursive descent over the tokens; `None` where nothing can be read. Its depth is bounded."""

    def __init__(self, tokens: Sequence[Token], known: Sequence[str] = ()) -> None:
        self.tokens = tokens
        self.at = 0
        self.names: list[str] = []
        self.operators = 0
        self.depth = 0
        self.known = known

    def low(self, ahead: int = 0) -> str:
        position = self.at + ahead
        return self.tokens[position].low if position < len(self.tokens) else ""

    def take(self, words: str) -> bool:
        end = quantities.phrase(self.tokens, self.at, words)
        if end is None:
            return False
        self.at = end
        return True

    def sum(self) -> str | None:
        self.depth += 1
        left = self.product() if self.depth < _DEPTH else None
        while left is not None and self.low() in _SUMS:
            operator = _SUMS[self.low()]
            self.at += 1
            share = self.share(left)
            right = share or self.product()
            if right is None:
                return None
            self.operators += 1
            left = f"{left} {operator} {right}"
        self.depth -= 1
        return left

    def share(self, base: str) -> str | None:
        """Read "20%" and "20% tax" behind "plus": a share of what stands before it."""
        if self.at < len(self.tokens) and self.tokens[self.at].kind is Kind.PERCENT and self.low(1) != "of":
            value = self.tokens[self.at].value
            self.at += 1
            while (
                self.at < len(self.tokens)
                and self.tokens[self.at].is_word
                and self.low() not in _SUMS | _PRODUCTS
                and self.low() not in lexicon.PREPOSITIONS | lexicon.CONJUNCTIONS | {"if", "when"}
            ):
                self.at += 1
            return f"({base}) * {value} / 100"
        return None

    def product(self) -> str | None:
        left = self.power()
        while left is not None:
            operator = self.operator()
            if operator is None:
                return left
            right = self.power()
            if right is None:
                return None
            self.operators += 1
            left = f"{left} {operator} {right}"
        return left

    def operator(self) -> str | None:
        if self.low() in _PRODUCTS:
            operator = _PRODUCTS[self.low()]
            self.at += 1
            return operator
        if self.take("multiplied by") or self.take("multiplied with"):
            return "*"
        if self.take("divided by"):
            return "/"
        return None

    def power(self) -> str | None:
        base = self.factor()
        while base is not None:
            if self.take("squared") or self.take("square"):
                base, self.operators = f"{_grouped(base)} ** 2", self.operators + 1
            elif self.take("cubed"):
                base, self.operators = f"{_grouped(base)} ** 3", self.operators + 1
            elif (
                self.take("to the power of")
                or self.take("raised to the power of")
                or self.take("raised to")
                or self.take("^")
                or self.take("**")
            ):
                exponent = self.factor()
                if exponent is None:
                    return None
                base, self.operators = f"{_grouped(base)} ** {_grouped(exponent)}", self.operators + 1
            else:
                return base
        return None

    def factor(self) -> str | None:
        for reader in (self.bracket, self.root, self.pair, self.multiple, self.percentage, self.number, self.name):
            start, names = self.at, list(self.names)
            found = reader()
            if found is not None:
                return found
            self.at, self.names = start, names
        return None

    def bracket(self) -> str | None:
        if not self.take("("):
            return None
        inner = self.sum()
        return f"({inner})" if inner is not None and self.take(")") else None

    def root(self) -> str | None:
        self.take("the")
        if not self.take("square root of"):
            return None
        inner = self.power()
        self.operators += 1
        return f"sqrt({inner})" if inner is not None else None

    def pair(self) -> str | None:
        """Read "the sum of a and b", "the difference between a and b", "the product of a and b"."""
        self.take("the")
        for words, operator in (
            ("sum of", "+"),
            ("product of", "*"),
            ("difference between", "-"),
            ("difference of", "-"),
            ("quotient of", "/"),
            ("ratio of", "/"),
        ):
            if self.take(words):
                left = self.product()
                if left is None or not (self.take("and") or self.take("to")):
                    return None
                right = self.product()
                self.operators += 1
                return f"({left} {operator} {right})" if right is not None else None
        return None

    def multiple(self) -> str | None:
        for words, factor in (
            ("half of", "0.5"),
            ("half", "0.5"),
            ("twice", "2"),
            ("double", "2"),
            ("three times", "3"),
            ("a third of", "1 / 3"),
            ("a quarter of", "0.25"),
            ("a tenth of", "0.1"),
        ):
            if self.take(words):
                inner = self.power()
                self.operators += 1
                return f"{factor} * {inner}" if inner is not None else None
        return None

    def percentage(self) -> str | None:
        """Read "15% of the bill" and "15 percent of the bill"."""
        if self.at >= len(self.tokens):
            return None
        token = self.tokens[self.at]
        following = (
            1 if token.kind is Kind.PERCENT else 2 if token.value is not None and self.low(1) in {"percent", "%"} else 0
        )
        if not following:
            return None
        self.at += following
        if not self.take("of"):
            return None
        inner = self.power()
        self.operators += 1
        return f"{inner} * {token.value} / 100" if inner is not None else None

    def number(self) -> str | None:
        read = quantities.number(self.tokens, self.at)
        if read is None or self.tokens[self.at].kind is Kind.PERCENT:
            return None
        self.at = read[1]
        if self.low() in _NUMBER_WORDS:
            self.at += 1
        return str(read[0])

    def name(self) -> str | None:
        while self.low() in lexicon.ARTICLES:
            self.at += 1
        words: list[str] = []
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.kind is Kind.POSSESSIVE:
                words, self.at = [], self.at + 1
                continue
            if not token.is_word or token.value is not None or token.low in _STOPPING or len(words) > 4:
                break
            words.append(token.low)
            self.at += 1
        while self.take("of"):
            inner = [t.low for t in self.tokens[self.at : self.at + 3] if t.is_word and t.low not in lexicon.ARTICLES]
            skip = next(
                (
                    i
                    for i, t in enumerate(self.tokens[self.at :])
                    if not t.is_word or t.low in _STOPPING - lexicon.ARTICLES
                ),
                len(self.tokens) - self.at,
            )
            words = inner[:skip] if words in (["number"], ["amount"], ["count"]) else words
            self.at += skip
        self.unit()
        if not words or (words[0] in {"sum", "product", "difference", "average", "total", "ratio"} and len(words) == 1):
            return None
        name = morphology.name(*words)
        name = next((k for k in self.known if k == name or k.endswith(f"_{name}") or name.endswith(f"_{k}")), name)
        if name not in self.names:
            self.names.append(name)
        return name

    def unit(self) -> None:
        """Pass over "in kilograms" and "(in metres)"."""
        if self.low() == "(" and self.low(1) == "in" and self.low(3) == ")":
            self.at += 4
        elif (
            self.low() == "in"
            and self.at + 1 < len(self.tokens)
            and (self.low(1) in UNIT_WORDS or self.low(1) in {"years", "percent", "months", "days", "hours"})
        ):
            self.at += 2


_STOPPING: Final = frozenset(
    {
        *_SUMS,
        *_PRODUCTS,
        *lexicon.CONJUNCTIONS,
        *lexicon.PREPOSITIONS,
        "multiplied",
        "divided",
        "squared",
        "cubed",
        "raised",
        "if",
        "when",
        "where",
        "otherwise",
        "else",
        "is",
        "are",
        "equals",
        "unless",
        "rounded",
        "which",
        "that",
    }
    - {"x"}
)


def _grouped(expression: str) -> str:
    return (
        expression
        if expression.replace("_", "").replace(".", "").isalnum() or expression.startswith(("(", "sqrt("))
        else f"({expression})"
    )


def read(tokens: Sequence[Token], known: Sequence[str] = ()) -> tuple[Formula, int] | None:
    """Read a formula at the beginning of the tokens.

    Args:
        tokens: Where to read.
        known: Names of parameters that are known already, preferred for what resembles them.

    Returns:
        The formula and the position behind it, or None.
    """
    parser = _Parser(tokens, known)
    text = parser.sum()
    if text is None:
        return None
    return Formula(text, parser.names, parser.operators), parser.at


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
