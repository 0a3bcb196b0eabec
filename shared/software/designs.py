"""The designs that L3 neurons make from a specification, and the contracts between designers and implementers.

A design is what one part of the software looks like in any language: which operations it offers, which tables it keeps,
which cases its tests try. Implementers write a design down; they take no decision that another part must know. What
parts must agree on without talking (the name of a table, of a column, of a reference in JSON) is in the conventions at
the end of this module.

Promises: designs are plain data, comparable and serialisable; the same specification gives the same design.
"""

from __future__ import annotations

import keyword
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from shared.software.languages import Language
from shared.software.source import SourceTree
from shared.software.specification import Entity, FieldSpec, FieldType, OperationKind, Relation, Scalar, Specification

FRAMEWORKS: Final = ("react", "vue")

Framework = Literal["react", "vue"]
Share = Literal["project", "domain", "interface", "storage", "tests"]


class _Part(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


# the interface


class OperationDesign(_Part):
    """An HTTP operation as it is served.

    Attributes:
        method: The HTTP method.
        path: Its path with `{parameter}` segments.
        name: A snake_case name, unique in the design: the function's name and the OpenAPI operationId.
        operation: What it does.
        entity: The entity that it is about.
        target: The transition, view, report, relation or computation.
        parameters: The names of the path's parameters, in order.
        parent: For a list under a parent (`/members/{member_id}/loans`): the entity's reference that it fixes.
        status: The status of success.
        summary: One line for people.
        implements: JSON pointers into the specification.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    name: str
    operation: OperationKind
    entity: str | None = None
    target: str | None = None
    parameters: tuple[str, ...] = ()
    parent: str | None = None
    status: int = 200
    summary: str = ""
    implements: tuple[str, ...] = ()


class ListingDesign(_Part):
    """What an entity's list can be narrowed by (equality), searched in (text) and sorted by: fields' names."""

    entity: str
    filters: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()


class CommandDesign(_Part):
    """A command as it is offered.

    Attributes:
        name: Its word, empty when the program has this one command only and needs no word for it.
        function: A snake_case name, unique in the design.
        operation: What it does.
        entity: The entity that it is about.
        target: The transition, view, report, relation or computation.
        positionals: What is given by place, in order: fields or parameters.
        options: What is given as `--name VALUE`.
        reads_file: The first text parameter is the content of a file, or of standard input.
        summary: One line for people.
        implements: JSON pointers into the specification.
    """

    name: str
    function: str
    operation: OperationKind
    entity: str | None = None
    target: str | None = None
    positionals: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    reads_file: bool = False
    summary: str = ""
    implements: tuple[str, ...] = ()


class ApiDesign(_Part):
    """The face of the software: of a service its operations, of a program its commands, of a library its names."""

    operations: tuple[OperationDesign, ...] = ()
    commands: tuple[CommandDesign, ...] = ()
    listings: tuple[ListingDesign, ...] = ()
    stores: tuple[str, ...] = ()  # a library's entities
    functions: tuple[str, ...] = ()  # a library's computations
    structures: tuple[str, ...] = ()  # a library's data structures


# the database


class ColumnDesign(_Part):
    """A column. `field` is the entity's field that it keeps; none for what the software adds (id and stamps)."""

    name: str
    type: Literal["INTEGER", "TEXT", "REAL"]
    field: str | None = None
    nullable: bool = False
    checks: tuple[str, ...] = ()  # SQL expressions that must hold
    references: str | None = None  # a table
    on_delete: Literal["RESTRICT", "CASCADE", "SET NULL"] | None = None
    no_case: bool = False  # compared without regard to case (email addresses)


class IndexDesign(_Part):
    """An index. A unique one that stands for a rule names the rule, whose refusal a violation becomes."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    where: str | None = None
    rule: str | None = None
    message: str = ""


class TableDesign(_Part):
    """A table; `entity` is None for a many-to-many relation's, whose two columns are its primary key."""

    name: str
    entity: str | None = None
    relation: str | None = None
    columns: tuple[ColumnDesign, ...]
    indexes: tuple[IndexDesign, ...] = ()


class AggregateDesign(_Part):
    """A column of a view that SQL computes from other tables."""

    name: str
    sql: str


class ViewDesign(_Part):
    """A SQL view: a table with its aggregates, so that they are right in every snapshot."""

    name: str
    table: str
    aggregates: tuple[AggregateDesign, ...]


class DatabaseDesign(_Part):
    """The tables in the order of their creation, and the views over them, in the dialect of SQLite."""

    tables: tuple[TableDesign, ...] = ()
    views: tuple[ViewDesign, ...] = ()


# the tests


class ValueDesign(_Part):
    """How a test makes a valid value; `n` counts the things that a test makes.

    Attributes:
        kind: `constant` (value), `sequence` (`text` with `{n}`, which may carry a format),
            `number` (value + step * n), `day` and `moment` (offset from today in days or hours, plus step * n),
            `reference` (a new parent).
    """

    kind: Literal["constant", "sequence", "number", "day", "moment", "reference"]
    value: Scalar = None
    text: str = ""
    offset: int = 0
    step: int = 0
    entity: str = ""


class FieldRecipe(_Part):
    """The value that a field gets in tests."""

    field: str
    value: ValueDesign


class Recipe(_Part):
    """How a test makes a valid entity: its fields, then the moves that bring it into a state that others need."""

    entity: str
    fields: tuple[FieldRecipe, ...]
    moves: tuple[str, ...] = ()


class CaseDesign(_Part):
    """One test case.

    Attributes:
        kind: What is tried.
        entity: The entity it is about.
        rule: The rule's name.
        target: A transition, view, report, relation, computation or field.
    """

    kind: Literal[
        "crud", "field", "rule", "transition", "view", "report", "relation", "computation", "property", "persistence"
    ]
    entity: str | None = None
    rule: str | None = None
    target: str | None = None


class TestDesign(_Part):
    """What the project's own tests try, and how they make what they need."""

    __test__ = False  # pytest: this is no test class

    recipes: tuple[Recipe, ...] = ()
    cases: tuple[CaseDesign, ...] = ()


# the front end


class FrontendDesign(_Part):
    """The pages of a front end. Contract only: no implementer is available yet."""

    framework: Framework = "react"
    pages: tuple[str, ...] = ()


# contracts of the bodies


class DesignerInput(_Part):
    """What every designer gets."""

    specification: Specification
    language: Language = "python"
    framework: Framework | None = None


class ImplementerInput(_Part):
    """What every implementer gets: one share of the work, with the design that the share rests on."""

    specification: Specification
    share: Share
    api: ApiDesign | None = None
    database: DatabaseDesign | None = None
    tests: TestDesign | None = None
    frontend: FrontendDesign | None = None


class ImplementerOutput(_Part):
    """What every implementer gives."""

    share: Share
    tree: SourceTree


class DesignerOutput(_Part):
    """What every designer gives: its design, and what its implementers wrote."""

    tree: SourceTree
    api: ApiDesign | None = None
    database: DatabaseDesign | None = None
    tests: TestDesign | None = None
    frontend: FrontendDesign | None = None


# conventions


_TAKEN: Final = frozenset(keyword.kwlist) | {
    "copy", "dict", "json", "schema", "validate", "construct", "run", "names", "parse",
}  # fmt: skip


def attribute(field: FieldSpec) -> str:
    """Name a field as programs see it: a reference ends in `_id`; a word that languages keep, in an underscore."""
    if field.type is FieldType.REFERENCE and not field.name.endswith("_id"):
        return f"{field.name}_id"
    return f"{field.name}_" if field.name in _TAKEN else field.name


def exposed(attribute: str) -> str:
    """Name an attribute as JSON, parameters and command lines see it: a `class_` of programs is a `class` there."""
    return attribute.removesuffix("_")


def field_of(entity: Entity, name: str) -> FieldSpec | None:
    """Give the entity's field of that name; None for what the software adds (id, created_at, updated_at)."""
    return next((field for field in entity.fields if field.name == name), None)


def table(entity: Entity) -> str:
    """Name the table that keeps an entity."""
    return entity.plural


def link_columns(relation: Relation) -> tuple[str, str]:
    """Name the two columns of a many-to-many relation's table."""
    if relation.left == relation.right:
        return f"{relation.left}_id", f"other_{relation.right}_id"
    return f"{relation.left}_id", f"{relation.right}_id"


def slug(name: str) -> str:
    """Write an identifier as it stands in a path, and in a command's name."""
    return name.replace("_", "-")


def relation_commands(left: str, right: str, rights: str) -> tuple[tuple[str, OperationKind], ...]:
    """Name the commands that put two things together, part them, and list what one is together with.

    Args:
        left: The one thing's name.
        right: The other one's.
        rights: The other one's plural.
    """
    return (
        (f"add-{slug(right)}-to-{slug(left)}", OperationKind.LINK),
        (f"remove-{slug(right)}-from-{slug(left)}", OperationKind.UNLINK),
        (f"{slug(rights)}-of-{slug(left)}", OperationKind.LIST),
    )


def with_article(name: str) -> str:
    """Give a thing's words with its article, as all texts of the software have it: `a loan`, `an order`, `a user`."""
    text = name.replace("_", " ").replace("-", " ")
    return f"an {text}" if text[:1] in tuple("aeiou") and not text.startswith(_CONSONANTAL) else f"a {text}"


_CONSONANTAL: Final = ("unic", "unif", "unio", "uniq", "unit", "univ", "use", "usa", "util", "eu", "one", "once")
"""Beginnings that are written with a vowel and spoken with a consonant."""
