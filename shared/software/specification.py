"""The specification of a piece of software: the versioned intermediate representation between neurons.

The architect reads a request in plain English into a `Specification`; designers refine it; implementers write it
down in a language. It says *what* the software holds and refuses, never *how* it is built: no table, no framework, no
file stands here.

Promises: a `Specification` that validates is closed (every entity, field, state and condition that anything names
exists), so that a reader of it needs no look-up that can fail. Faults are collected and reported together.
`Specification.model_json_schema()` is its JSON Schema (draft 2020-12).
Does not promise that the rules are satisfiable together, nor that they are what the customer meant: `clauses` shows
what each part of the request became.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

VERSION: Final = "1"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=63)]
"""A snake_case identifier: `due_on`, `member`. Entities are in the singular."""

Scalar = str | int | float | bool | None
"""A literal. Decimals, dates and datetimes are written as strings (ISO 8601 for the latter two)."""


class _Part(BaseModel):
    """What a specification is made of.

    What is empty is not written where it would be read as empty, too: a release that does not know a new kind of part
    then reads every specification that has none of it, while two releases share the work (docs/decisions/0013).
    """

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    @model_serializer(mode="wrap", when_used="json")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        return {
            name: value
            for name, value in write(self).items()
            if not (value is None and fields[name].default is None) and not (value == [] and fields[name].default == ())
        }


class Kind(StrEnum):
    """What is asked for."""

    API = "api"  # an HTTP service that keeps data
    COMMAND_LINE = "command_line"  # a program for the terminal
    LIBRARY = "library"  # a package that other programs import


class FieldType(StrEnum):
    """The type of a field's or parameter's value."""

    STRING = "string"  # one line
    TEXT = "text"  # many lines
    INTEGER = "integer"
    DECIMAL = "decimal"  # exact, for money and measures; `scale` digits after the point
    NUMBER = "number"  # binary floating point
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"  # with offset; kept in UTC
    TIME = "time"
    EMAIL = "email"
    URL = "url"
    UUID = "uuid"
    ENUM = "enum"  # one of `values`
    REFERENCE = "reference"  # to one `target` entity, by its id
    LIST = "list"  # of `items`; for computations' parameters and results


class FieldSpec(_Part):
    """A field of an entity. Every entity also has an `id` that the software gives, which is not listed."""

    name: Name
    type: FieldType
    required: bool = True
    unique: bool = False
    values: tuple[str, ...] = ()  # for ENUM, in the order of the request; for INTEGER the only numbers, if it has such
    target: Name | None = None  # for REFERENCE
    default: Scalar = None
    minimum: int | float | None = None  # inclusive unless `exclusive_minimum`
    maximum: int | float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    min_length: Annotated[int, Field(ge=0)] | None = None
    max_length: Annotated[int, Field(ge=1)] | None = None
    pattern: str | None = None  # an anchored regular expression, ECMA 262 and Python alike
    scale: Annotated[int, Field(ge=0, le=9)] = 2  # for DECIMAL
    managed: bool = False  # set by the software (derivation, state, aggregate, stamp), never taken from input
    immutable: bool = False  # given at creation, never changed
    description: str = ""

    @property
    def numbers(self) -> tuple[int, ...]:
        """The only numbers that it may be, rising; empty when any within its bounds will do."""
        return tuple(map(int, self.values)) if self.type is FieldType.INTEGER else ()


class Derivation(_Part):
    """A date or datetime field computed at creation: `base` plus `days` and `hours` (due after 14 days).

    The field is managed; or it is given and this is what it is when it was left out (today if not given).
    """

    field: Name
    base: Literal["now"] | Name = "now"  # "now" or a date(time) field of the same entity
    days: int = 0
    hours: int = 0


class Operator(StrEnum):
    """How a condition compares a field with a value."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    IN = "in"
    IS_NULL = "is_null"
    NOT_NULL = "not_null"


OPPOSITES: Final = {
    Operator.EQ: Operator.NE,
    Operator.NE: Operator.EQ,
    Operator.LT: Operator.GE,
    Operator.LE: Operator.GT,
    Operator.GT: Operator.LE,
    Operator.GE: Operator.LT,
    Operator.IS_NULL: Operator.NOT_NULL,
    Operator.NOT_NULL: Operator.IS_NULL,
}
"""The operator that holds just when this one does not; `IN` has none."""


class Condition(_Part):
    """A predicate on an entity.

    `field` (possibly through one reference, `member.active`) is compared with a literal `value`, or with `other`: a
    field of the entity, or the moment of the check (`now`, `today`).
    """

    field: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$")]
    operator: Operator
    value: Scalar | tuple[str, ...] = None
    other: Name | Literal["now", "today"] | None = None  # instead of `value`


class Transition(_Part):
    """A named move of a state machine, offered as an action: `return` takes a loan from `open` to `returned`."""

    name: Name
    sources: tuple[str, ...]
    target: str
    stamps: Name | None = None  # a managed datetime field that records when
    when: tuple[Condition, ...] = ()  # all must hold, else the move is refused


class StateMachine(_Part):
    """The states of an entity, kept in its managed ENUM field `field`."""

    field: Name
    initial: str
    states: tuple[str, ...]
    transitions: tuple[Transition, ...]


class Entity(_Part):
    """A kind of thing that the software keeps."""

    name: Name
    plural: Name
    description: str = ""
    fields: tuple[FieldSpec, ...]
    derivations: tuple[Derivation, ...] = ()
    machine: StateMachine | None = None
    label: Name | None = None  # the field that a person recognises it by


class _Rule(_Part):
    name: Name  # unique in the specification; also the refusal's code
    entity: Name
    message: str  # one sentence, shown to whoever is refused


class UniqueRule(_Rule):
    """The values of `fields` together occur once (among those for which `when` holds).

    Single-field uniqueness also sets `FieldSpec.unique`.
    """

    kind: Literal["unique"] = "unique"
    fields: tuple[Name, ...]
    when: tuple[Condition, ...] = ()


class RangeRule(_Rule):
    """A bound on a field that is itself a field, or holds only under a condition; plain bounds are in `FieldSpec`."""

    kind: Literal["range"] = "range"
    field: Name
    operator: Operator
    value: int | float | str | None = None
    other: str | None = None  # a field of the same entity, or `reference.field`
    when: tuple[Condition, ...] = ()


class OrderedRule(_Rule):
    """`before` lies before `after` (or at the same point unless `strict`)."""

    kind: Literal["ordered"] = "ordered"
    before: Name
    after: Name
    strict: bool = True


class NoOverlapRule(_Rule):
    """The half-open intervals [start, end) of entities that agree on `per` do not overlap (bookings of one room)."""

    kind: Literal["no_overlap"] = "no_overlap"
    start: Name
    end: Name
    per: tuple[Name, ...] = ()
    when: tuple[Condition, ...] = ()


class CapacityRule(_Rule):
    """At most as many entities (for which `when` holds) point at a parent as its `limit_field` says (copies)."""

    kind: Literal["capacity"] = "capacity"
    reference: Name
    limit_field: Name
    weight_field: Name | None = None  # sum this field instead of counting (seats of a booking)
    when: tuple[Condition, ...] = ()


class QuotaRule(_Rule):
    """At most `limit` entities (for which `when` holds) point at a parent, in a calendar `period` when given.

    Three books at a time; five posts a day. A `when` that looks at the clock (`now`, `today`) is checked at creation
    only: it blocks a new entity (no new loan while one is overdue), never a change to those that are there.
    """

    kind: Literal["quota"] = "quota"
    reference: Name | None  # None: in all
    also: tuple[
        Name, ...
    ] = ()  # counted among those that agree on these fields too (tickets of a customer for one event)
    limit: Annotated[int, Field(ge=0)]
    weight_field: Name | None = None
    period: Literal["day", "week", "month", "year"] | None = None
    period_field: Name | None = None  # the date(time) field that places an entity in a period; None: its creation
    when: tuple[Condition, ...] = ()


class TransitionRule(_Rule):
    """A move (or `create`, `update`, `delete`) is refused unless every condition holds (only active members borrow)."""

    kind: Literal["transition"] = "transition"
    action: Name  # a transition's name, or create, update, delete
    requires: tuple[Condition, ...]


class AggregateRule(_Rule):
    """A managed field of `entity` that is computed from the entities that point at it, and optionally bounded."""

    kind: Literal["aggregate"] = "aggregate"
    field: Name
    of: Name  # the child entity
    reference: Name  # the child's field that points here
    function: Literal["count", "sum", "minimum", "maximum", "average"]
    expression: str | None = None  # over the child's fields (`quantity * product.price`); None for count
    when: tuple[Condition, ...] = ()
    limit: int | float | None = None


class ComputedRule(_Rule):
    """A managed field that is computed from others of its entity whenever it is read (`quantity * unit_price`).

    `expression` is arithmetic over numeric fields, also through one reference (`product.price`), and numbers.
    """

    kind: Literal["computed"] = "computed"
    field: Name
    expression: str


class EffectRule(_Rule):
    """Creating an entity, or a move of it, changes a number of what it refers to (an order takes from the stock).

    An effect of creation stands as long as its record does: a change of the record moves the number by the difference,
    deletion gives back what was taken. It ends with a move of the record that has the opposite effect (a cancelled
    order has given back already). A number that would leave its field's bounds refuses the change.
    """

    kind: Literal["effect"] = "effect"
    action: Name  # "create", or a transition's name
    reference: Name  # of `entity`, to what is changed
    field: Name  # the number there
    direction: Literal["increase", "decrease"]
    amount: Name | None = None  # the field of `entity` that says by how much; None: by one
    when: tuple[Condition, ...] = ()  # on fields of `entity` that are given


class ReferencedRule(_Rule):
    """An entity is not deleted while others (for which `when` holds) point at it; `cascade` deletes them instead."""

    kind: Literal["referenced"] = "referenced"
    of: Name
    reference: Name
    cascade: bool = False
    when: tuple[Condition, ...] = ()


Rule = Annotated[
    UniqueRule
    | RangeRule
    | OrderedRule
    | NoOverlapRule
    | CapacityRule
    | QuotaRule
    | TransitionRule
    | AggregateRule
    | ComputedRule
    | EffectRule
    | ReferencedRule,
    Field(discriminator="kind"),
]


class Relation(_Part):
    """A many-to-many relation. One-to-many is a REFERENCE field of the many's side."""

    name: Name
    left: Name
    right: Name
    description: str = ""


class View(_Part):
    """A named list of an entity: overdue loans, the cheapest products."""

    name: Name
    entity: Name
    when: tuple[Condition, ...] = ()
    sort: Name | None = None
    descending: bool = False
    limit: Annotated[int, Field(ge=1)] | None = None
    description: str = ""


class Report(_Part):
    """A figure for each value of a field: how many tickets there are of each status, the total of each category.

    Figures of what something else refers to are its fields (`AggregateRule`); this is for values that are no entities.
    An enumeration's values are all told, those without records with 0 (count and sum) or not at all.
    """

    name: Name
    entity: Name
    by: Name
    period: Literal["day", "month", "year"] | None = None  # for a date or moment: how much of it is told apart
    function: Literal["count", "sum", "minimum", "maximum", "average"]
    of: Name | None = None  # the numeric field that is summed up; None for count
    when: tuple[Condition, ...] = ()
    description: str = ""


class Listing(_Part):
    """How an entity's list can be narrowed, searched and sorted."""

    entity: Name
    filters: tuple[Name, ...] = ()
    search: tuple[Name, ...] = ()
    sort: tuple[Name, ...] = ()


class OperationKind(StrEnum):
    """What an endpoint or command does."""

    CREATE = "create"
    LIST = "list"
    READ = "read"
    UPDATE = "update"
    DELETE = "delete"
    TRANSITION = "transition"
    VIEW = "view"
    LINK = "link"
    UNLINK = "unlink"
    COMPUTE = "compute"
    REPORT = "report"


class Endpoint(_Part):
    """An HTTP operation. `path` has `{name}` parameters; `target` names the transition, view, report or relation."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: Annotated[str, StringConstraints(pattern=r"^/[a-z0-9{}/_-]*$")]
    operation: OperationKind
    entity: Name | None = None
    target: Name | None = None
    summary: str = ""


class Parameter(_Part):
    """A typed parameter of a computation or command."""

    name: Name
    type: FieldType
    required: bool = True
    default: Scalar = None
    items: FieldType | None = None  # for LIST
    values: tuple[str, ...] = ()  # for ENUM
    minimum: int | float | None = None
    maximum: int | float | None = None
    exclusive_minimum: bool = False
    description: str = ""


class Case(_Part):
    """A branch of a computation: `expression` applies when `when` (a boolean) is true; the last branch has none."""

    expression: str
    when: str | None = None


class Example(_Part):
    """A known result that the request states, or that follows from it; it becomes a test."""

    arguments: dict[str, Scalar | tuple[Scalar, ...]]
    result: Scalar | tuple[Scalar, ...] | None = None
    refused: bool = False


class Computation(_Part):
    """A pure function: by formula (`cases`) or one of the built-in `algorithm`s on text, numbers and dates.

    Expressions are Python's arithmetic, comparison and boolean operators over the parameters, numbers, strings, and the
    calls in `EXPRESSION_CALLS`.
    """

    name: Name
    parameters: tuple[Parameter, ...]
    returns: FieldType
    items: FieldType | None = None  # when it returns a LIST
    cases: tuple[Case, ...] = ()
    algorithm: str | None = None  # a name of the implementers' catalogue of algorithms, e.g. "count_words"
    refuses: tuple[Case, ...] = ()  # `when` an argument is refused; `expression` is the message
    examples: tuple[Example, ...] = ()
    description: str = ""


EXPRESSION_CALLS: Final = frozenset(
    {
        "abs",
        "min",
        "max",
        "round",
        "sum",
        "len",
        "sqrt",
        "floor",
        "ceil",
        "lower",
        "upper",
        "strip",
        "sorted",
        "mean",
        "median",
        "days_between",
    }
)


class Command(_Part):
    """A command of a command line tool: `program name ARGUMENTS --options`."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
    operation: OperationKind
    entity: Name | None = None
    target: Name | None = None  # the transition, view, report or computation
    summary: str = ""
    reads_file: bool = False  # its text parameter is the content of a file named on the command line, or standard input


class CommandLine(_Part):
    """The face of a command line tool."""

    program: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
    commands: tuple[Command, ...]


class Structure(_Part):
    """A data structure that a library offers: one of the implementers' catalogue (`shared.software.structures`)."""

    name: Name
    description: str = ""


class LibraryFace(_Part):
    """The public names of a library: stores of entities (in memory, with every rule), computations, data structures."""

    package: Name
    stores: tuple[Name, ...] = ()
    functions: tuple[Name, ...] = ()
    structures: tuple[Name, ...] = ()


class Page(_Part):
    """A page of a web front end."""

    name: Name
    title: str
    entity: Name | None = None
    shows: Literal["list", "detail", "form", "dashboard"] = "list"


class ClauseStatus(StrEnum):
    """What became of a clause of the request."""

    DONE = "done"
    NOT_DONE = "not_done"


class Clause(_Part):
    """A part of the request (`start`, `end`: code point offsets), and the JSON pointers to what implements it."""

    text: str
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=0)]
    status: ClauseStatus
    implements: tuple[str, ...] = ()
    reason: str = ""  # for NOT_DONE: why, in words for the customer


class Specification(_Part):
    """The whole of what is to be built."""

    version: Literal["1"] = VERSION
    name: Name
    title: str
    description: str = ""
    kind: Kind
    request: str
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    rules: tuple[Rule, ...] = ()
    views: tuple[View, ...] = ()
    reports: tuple[Report, ...] = ()
    listings: tuple[Listing, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    computations: tuple[Computation, ...] = ()
    structures: tuple[Structure, ...] = ()
    command_line: CommandLine | None = None
    library: LibraryFace | None = None
    pages: tuple[Page, ...] = ()
    clauses: tuple[Clause, ...] = ()

    def entity(self, name: str) -> Entity:
        """Give the entity of that name; raises KeyError when there is none."""
        for entity in self.entities:
            if entity.name == name:
                return entity
        raise KeyError(name)

    @model_validator(mode="after")
    def _closed(self) -> Specification:
        from shared.software.closure import faults

        found = faults(self)
        if found:
            raise ValueError("; ".join(found))
        return self
