"""Writes the first migration: the tables, indexes and views of a database design, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.neuron.synthesis.sql import quoted

if TYPE_CHECKING:
    from shared.software.designs import ColumnDesign, DatabaseDesign, IndexDesign, TableDesign, ViewDesign


def first_migration(design: DatabaseDesign, title: str) -> str:
    """Write the script that makes the database from nothing."""
    parts = [f"-- The first shape of the database of {title}."]
    parts += [
        part for table in design.tables for part in (_table(table), *(_index(table, index) for index in table.indexes))
    ]
    parts += [_view(view) for view in design.views]
    return "\n\n".join(parts) + "\n"


def _table(table: TableDesign) -> str:
    lines = [_column(column) for column in table.columns]
    if table.relation is not None:
        key = ", ".join(quoted(column.name) for column in table.columns)
        lines.append(f"PRIMARY KEY ({key})")
    body = ",\n".join(f"    {line}" for line in lines)
    options = "STRICT, WITHOUT ROWID" if table.relation is not None else "STRICT"
    return f"CREATE TABLE {quoted(table.name)} (\n{body}\n) {options};"


def _column(column: ColumnDesign) -> str:
    if column.name == "id":
        return "id INTEGER PRIMARY KEY AUTOINCREMENT"
    words = [quoted(column.name), column.type]
    if not column.nullable:
        words.append("NOT NULL")
    if column.no_case:
        words.append("COLLATE NOCASE")
    words += [f"CHECK ({check})" for check in column.checks]
    if column.references is not None:
        words.append(f"REFERENCES {quoted(column.references)} (id) ON DELETE {column.on_delete}")
    return " ".join(words)


def _index(table: TableDesign, index: IndexDesign) -> str:
    columns = ", ".join(quoted(column) for column in index.columns)
    where = f" WHERE {index.where}" if index.where else ""
    unique = "UNIQUE " if index.unique else ""
    return f"CREATE {unique}INDEX {quoted(index.name)} ON {quoted(table.name)} ({columns}){where};"


def _view(view: ViewDesign) -> str:
    aggregates = "".join(f",\n    {aggregate.sql} AS {quoted(aggregate.name)}" for aggregate in view.aggregates)
    table = quoted(view.table)
    return f"CREATE VIEW {quoted(view.name)} AS\nSELECT\n    {table}.*{aggregates}\nFROM {table};"
