"""The words that lists of fields are made of: separators, types, attributes, units."""

from __future__ import annotations

from typing import Final

from functions.neuron.reading import lexicon
from shared.software.specification import FieldType

SEPARATORS: Final = frozenset({",", "and", ";", "plus", "&", "then", "+"})
TYPES: Final = {
    "string": FieldType.STRING,
    "str": FieldType.STRING,
    "varchar": FieldType.STRING,
    "text": FieldType.TEXT,
    "integer": FieldType.INTEGER,
    "int": FieldType.INTEGER,
    "whole": FieldType.INTEGER,
    "decimal": FieldType.DECIMAL,
    "money": FieldType.DECIMAL,
    "currency": FieldType.DECIMAL,
    "float": FieldType.NUMBER,
    "numeric": FieldType.DECIMAL,
    "boolean": FieldType.BOOLEAN,
    "bool": FieldType.BOOLEAN,
    "flag": FieldType.BOOLEAN,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "timestamp": FieldType.DATETIME,
    "time": FieldType.TIME,
    "url": FieldType.URL,
    "uuid": FieldType.UUID,
    "email": FieldType.EMAIL,
    "number": FieldType.DECIMAL,
    "yes/no": FieldType.BOOLEAN,
    "percentage": FieldType.DECIMAL,
    "percent": FieldType.DECIMAL,
}
PRE_ATTRIBUTES: Final = lexicon.words(
    "unique optional required mandatory positive non-negative nonnegative non-zero nonzero integer decimal boolean "
    "whole read-only immutable non-empty nonempty nullable distinct obligatory unchangeable fixed compulsory "
    "indexed free-text numeric"
)
STOPS: Final = (
    lexicon.PREPOSITIONS
    | lexicon.RELATIVES
    | lexicon.CONJUNCTIONS
    | lexicon.MODALS
    | lexicon.BE
    | lexicon.SUBORDINATORS
    | {
        "defaulting",
        "defaults",
        "default",
        "optional",
        "maximum",
        "minimum",
        "max",
        "min",
        "either",
        "plus",
        "not",
        "=",
        "being",
        "ranging",
        "limited",
        "starting",
        "measured",
        "expressed",
        "formatted",
        "given",
        "called",
        "named",
        "each",
        "which",
        "initially",
        "belonging",
        "assigned",
        "used",
        "including",
        "such",
        "they",
        "he",
        "she",
        "we",
        "you",
    }
) - {"about"}
FILLER: Final = lexicon.words(
    "a an the be is are was must should shall will can has have to also as in with and , ; of it they that "
    "which its their either always being been value values field set given : one for only but at any by so "
    "whose never must-be text on long ranging characters character chars char letters letter stars star "
    "points digits digit when then initially"
)
NOT_NOUGHT: Final = ("other than zero", "other than 0", "different from zero", "different from 0", "not equal to zero")
UNITS: Final = lexicon.words(
    "minute minutes hour hours day days second seconds week weeks month months year years euro euros eur "
    "dollar dollars usd gbp pound pounds cent cents kg kilogram kilograms kilo kilos gram grams g cm m mm km "
    "mg mcg meter metre meters metres centimeters centimetres kilometer kilometre kilometers kilometres mile miles "
    "litre litres liter liters ml percent percentage celsius fahrenheit degree degrees bytes mb gb inches "
    "inch feet lb lbs m2 sqm m² km2 ha hectares acres watts mph currency points credits coins stars calories pages "
    "people words"
)
