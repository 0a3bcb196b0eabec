"""What the name of a field tells about its values: an email address, a date, an amount of money, a count.

Promises: fills in only what the request left open. Formats that people write in many ways (ISBN, postal codes) are
not enforced unless the request asks for
valid ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology
from functions.neuron.reading.fields import enumerating
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from functions.neuron.reading.draft import DraftField

_WORDS: Final[dict[FieldType, str]] = {
    FieldType.EMAIL: ("email emails"),
    FieldType.URL: ("url link website homepage uri webpage"),
    FieldType.DATE: ("date birthday birthdate deadline dob anniversary holiday due_on due_date date_of_birth"),
    FieldType.DATETIME: (
        "datetime timestamp date_time start_time end_time starting_time ending_time departure_time "
        "arrival_time appointment_time pickup_time scheduled_time begin_time finish_time start end begin "
        "finish starts ends departure arrival starts_at ends_at time_slot"
    ),
    FieldType.TIME: ("opening_time closing_time time_of_day"),
    FieldType.DECIMAL: (
        "price amount cost fee salary total subtotal balance budget fare wage rent income revenue deposit "
        "discount weight height length width depth distance area volume latitude longitude mileage speed "
        "payment value sum debt credit donation cashback commission tip bonus odds hourly_rate daily_rate "
        "rate tariff payout goal_amount spend turnover temperature percentage percent gpa allowance refund "
        "premium charge fine stake worth reward bounty prize toll surcharge "
        "litres liters kilograms kilos kg grams metres meters tonnes kwh watts "
        "odometer odometer_reading meter_reading"
    ),
    FieldType.INTEGER: (
        "times_per_day times_per_week times_per_month party_size group_size team_size guest_count "
        "quantity count stock copies seats capacity age year pages points floor duration population "
        "size_in_bytes stars level votes views likes servings minutes hour hours days weeks months years rank "
        "position score attempts players guests people persons residents occupants inhabitants adults items rooms beds "
        "bedrooms bathrooms units inventory "
        "page_count word_count calories episodes season episode rating places slots spots tickets "
        "participants attendees passengers copies_available edition volume_number kilometers kilometres "
        "steps reps sets repetitions laps goals wins losses draws tracks plays downloads comments shares "
        "credits stock_level reorder_level threshold limit year_of_publication publication_year sort_order "
        "sequence order_number_of table_number doors wheels horsepower cylinders max_players min_players "
        "difficulty_points"
    ),
    FieldType.BOOLEAN: (
        "active enabled available completed done paid published archived verified deleted confirmed "
        "approved public private visible hidden featured locked subscribed flag finished suspended blocked "
        "vegetarian vegan taxable fragile recurring anonymous read urgent pinned starred favourite favorite "
        "discontinued returned refundable in_stock resolved shipped delivered billable"
    ),
    FieldType.TEXT: (
        "description notes note body content comment bio biography summary message instructions remarks "
        "text abstract details feedback method steps_text directions review_text reason answer question "
        "lyrics transcript memo symptoms requirements explanation caption"
    ),
}
_BY_WORD: Final = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_STRING_HEADS: Final = lexicon.words(
    "name title code number id sku isbn type category kind genre status state label color colour"
)
_INTEGER_NUMBERS: Final = lexicon.words("table floor page episode season chapter lap round gate_count issue level")
_NON_NEGATIVE_DECIMAL: Final = lexicon.words(
    "price amount cost fee salary total subtotal budget fare wage rent deposit weight height length width "
    "depth distance area volume mileage speed payment discount rate hourly_rate daily_rate donation "
    "commission tip bonus premium charge fine allowance refund reward bounty prize toll surcharge"
)
_SIGNED_INTEGER: Final = lexicon.words("floor level position score points year steps minutes goals limit threshold")
_EXACT: Final = lexicon.words(
    "latitude longitude weight height length width depth distance area volume temperature speed gpa odds"
)


def complete(field: DraftField) -> None:
    """Fill in the type and the plain bounds that the field's name implies."""
    if field.type is None:
        field.type = _type(field)
        number = isinstance(field.default, int | float) and not isinstance(field.default, bool)
        if number and field.type is FieldType.STRING and not field.values:
            field.type = FieldType.INTEGER if isinstance(field.default, int) else FieldType.DECIMAL
    if field.type is FieldType.INTEGER and not all(map(enumerating.is_whole, field.values)):
        field.values = ()
    _number(field)
    _bounds(field)
    _scale(field)


def _number(field: DraftField) -> None:
    """Let a field whose values are all whole numbers be a number, rather than one of some texts."""
    if field.type is not FieldType.ENUM or not field.values or not all(map(enumerating.is_whole, field.values)):
        return
    known = sorted(map(int, field.values))
    field.type, field.values = FieldType.INTEGER, tuple(map(str, known))
    field.minimum, field.maximum = known[0], known[-1]
    field.exclusive_minimum = field.exclusive_maximum = False
    if isinstance(field.default, str) and field.default in field.values:
        field.default = int(field.default)


def counts(noun: str) -> bool:
    """Whether a noun in the plural usually says how many there are: seats, places, players."""
    return _BY_WORD.get(noun) is FieldType.INTEGER


def _keys(name: str) -> list[str]:
    words = name.split("_")
    return ["_".join(words[i:]) for i in range(len(words))]


def _type(field: DraftField) -> FieldType:
    if field.target is not None:
        return FieldType.REFERENCE
    if field.values:
        return FieldType.ENUM
    if isinstance(field.default, bool):
        return FieldType.BOOLEAN
    named = _named_type(field.name)
    if named is FieldType.STRING and (field.minimum is not None or field.maximum is not None):
        return _numeric(field)
    if named is not None and not (named is FieldType.BOOLEAN and field.min_length):
        return _adjusted(named, field)
    if field.minimum is not None or field.maximum is not None:
        return _numeric(field)
    return FieldType.TEXT if (field.min_length or 0) >= _LONG_TEXT and field.max_length is None else FieldType.STRING


_LONG_TEXT: Final = 30  # characters that a text of one line rarely has at least


def _adjusted(named: FieldType, field: DraftField) -> FieldType:
    bounds = [bound for bound in (field.minimum, field.maximum) if bound is not None]
    if named is FieldType.INTEGER and any(isinstance(bound, float) and not bound.is_integer() for bound in bounds):
        return FieldType.DECIMAL
    if named is FieldType.TEXT and field.minimum in {None, 0, 1} and (field.maximum or 0) >= _LEAST_LENGTH:
        field.min_length, field.max_length = (int(field.minimum) if field.minimum else None), int(field.maximum or 0)
        field.minimum = field.maximum = None
        return FieldType.TEXT
    if named in {FieldType.TEXT, FieldType.BOOLEAN} and bounds:
        return _numeric(field)
    if named in {FieldType.INTEGER, FieldType.DECIMAL} and (field.max_length or field.min_length):
        return FieldType.STRING
    return named


_LEAST_LENGTH: Final = 20  # a bound on a text that is no number of its own: "text max 1000"


def _numeric(field: DraftField) -> FieldType:
    return (
        FieldType.DECIMAL
        if any(isinstance(bound, float) for bound in (field.minimum, field.maximum))
        else FieldType.INTEGER
    )


_NAMED_TYPE_WORDS: Final = lexicon.words("is has can was should allows accepts requires")


def _named_type(name: str) -> FieldType | None:
    words = name.split("_")
    return _by_shape(words) or (_by_ending(words) if len(words) > 1 else None) or _by_keys(_head(words))


def _by_shape(words: list[str]) -> FieldType | None:
    """What a name's first words, or its words as a whole, tell."""
    if "per" in words[1:] and words[0] != "times":
        return _named_type("_".join(words[: words.index("per")])) or FieldType.DECIMAL
    if words[-2:] == ["in", "stock"] and len(words) > 2:
        return FieldType.INTEGER
    whole = {
        "at": FieldType.DATETIME,
        "day": FieldType.DATE,
        "time": FieldType.DATETIME,
        "moment": FieldType.DATETIME,
    }.get("_".join(words))
    if whole is not None or (len(words) == _PAIR and words[0] in _MEASURES and morphology.is_participle(words[1])):
        return whole or FieldType.DECIMAL
    if "email" in words:
        return FieldType.EMAIL
    if words[0] in {"max", "maximum", "min", "minimum", "limit"} and morphology.is_plural(words[-1]):
        return FieldType.DECIMAL if words[-1] in {"weights", "prices", "amounts"} else FieldType.INTEGER
    if words[0] in {"web", "url"} and words[-1] == "address":
        return FieldType.URL
    if words[0] in _NAMED_TYPE_WORDS and len(words) > 1:
        return FieldType.BOOLEAN
    if words[0] == "date" and len(words) > 1 and words[1] != "of":
        return FieldType.DATETIME if words[1] == "time" else FieldType.DATE
    if "of" in words and words[0] in {"date", "year", "time"}:
        return {"date": FieldType.DATE, "year": FieldType.INTEGER, "time": FieldType.DATETIME}[words[0]]
    return None


_PAIR: Final = 2
_MEASURES: Final = lexicon.words(
    "litres liters kilograms kilos grams metres meters tonnes kwh kilometres kilometers miles"
)


def _by_ending(words: list[str]) -> FieldType | None:
    """What the last word of several tells."""
    if words[-1] in {"number", "no"}:
        return FieldType.INTEGER if words[-2] in _INTEGER_NUMBERS else FieldType.STRING
    if words[-1] in {"limit", "threshold", "goal", "target"}:
        return _named_type("_".join(words[:-1])) or FieldType.INTEGER
    if words[-1] == "day" and words[0] in {"first", "last", "start", "end", "starting"}:
        return FieldType.DATE
    return {"at": FieldType.DATETIME, "on": FieldType.DATE}.get(words[-1])


def _head(words: list[str]) -> str:
    """The name without what stands behind "in" (a unit) or "of"."""
    if "in" in words[1:-1] and words[-1].endswith("s") and words[0] != "check":
        return "_".join(words[: words.index("in")])
    return "_".join(words[: words.index("of")]) if "of" in words[1:] else "_".join(words)


_BY_KEYS_WORDS: Final = lexicon.words(
    "preparation prep cooking cook running run lead travel total wait waiting play playing baking response"
)


def _by_keys(name: str) -> FieldType | None:
    if name.split("_")[-1] in _STRING_HEADS:
        return FieldType.STRING
    if name.endswith("_time") and name not in _BY_WORD:
        return FieldType.INTEGER if name.split("_")[0] in _BY_KEYS_WORDS else FieldType.DATETIME
    return next((_BY_WORD[key] for key in _keys(name) if key in _BY_WORD), None)


def _bounds(field: DraftField) -> None:
    stated = field.minimum is not None or field.maximum is not None or field.signed
    if field.type is FieldType.STRING:
        _string_bounds(field)
    elif field.type is FieldType.INTEGER and not stated:
        field.minimum, field.maximum = _integer_bounds(field.name)
    elif field.type is FieldType.DECIMAL and not stated:
        field.minimum, field.maximum = _decimal_bounds(field.name)


def _integer_bounds(name: str) -> tuple[int | None, int | None]:
    last = name.split("_")[-1]
    if last == "rating" or name == "stars":
        return 1, 5
    return (None if last in _SIGNED_INTEGER else 0), (150 if last == "age" else None)


def _decimal_bounds(name: str) -> tuple[int | None, int | None]:
    last = name.split("_")[-1]
    known = {"percentage": (0, 100), "percent": (0, 100), "latitude": (-90, 90), "longitude": (-180, 180)}
    if last in known:
        return known[last]
    return (0 if any(key in _NON_NEGATIVE_DECIMAL for key in _keys(name.partition("_per_")[0])) else None), None


def _string_bounds(field: DraftField) -> None:
    if field.required is not False and field.min_length is None and not field.managed:
        field.min_length = 1
    if field.max_length is None and field.pattern is None:
        field.max_length = max(200, field.min_length or 0)


def _scale(field: DraftField) -> None:
    if field.type is FieldType.DECIMAL and field.scale is None:
        last = field.name.split("_")[-1]
        field.scale = 6 if last in {"latitude", "longitude"} else (3 if last in _EXACT else 2)
