"""The linter: what would lock a table in use, break the release before, or leave a table open to other organisations.

Source of the lock rules: PostgreSQL manual, 13.3 Explicit Locking, ALTER TABLE, CREATE INDEX.
Promises: a table that the same file creates may be altered freely, as nobody uses it yet. A rule that does not fit is
lifted for one statement by `-- hal9: allow RULE: reason` before it. Does not: connect to a database, or understand
statements inside functions' bodies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shared.database.migrations.statements import Statement, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from shared.database.migrations.files import Migration

_NAME: Final = r'(?P<table>(?:"[^"]+"|\w+)(?: ?\. ?(?:"[^"]+"|\w+))?)'
_CREATE_TABLE: Final = re.compile(rf"create (?:unlogged )?table (?:if not exists )?{_NAME} ?(?P<rest>.*)")
_CREATE_INDEX: Final = re.compile(
    rf"create (?:unique )?index (?P<how>concurrently )?(?:if not exists )?(?:\S+ )?on (?:only )?{_NAME}"
)
_ALTER_TABLE: Final = re.compile(rf"alter table (?:if exists )?(?:only )?{_NAME} (?P<actions>.*)")
_FUNCTION: Final = re.compile(r"create (?:or replace )?function (?P<name>[\w.\"]+) ?\(")
_ADD_COLUMN: Final = re.compile(
    r"add (?:column )?(?:if not exists )?(?!constraint\b|check\b|foreign\b|unique\b|primary\b|exclude\b)"
)
_ADD_CONSTRAINT: Final = re.compile(
    r'add (?:constraint (?:"[^"]+"|\w+) )?(?P<what>check|foreign key|unique|primary key|exclude|not null)\b'
)
_TYPE: Final = re.compile(r'alter (?:column )?(?:"[^"]+"|\w+) (?:set data )?type\b')
_NOT_NULL: Final = re.compile(r'alter (?:column )?(?:"[^"]+"|\w+) set not null')
_VOLATILE: Final = re.compile(
    r"\b(?:gen_random_uuid|uuidv[47]|uuid_generate_v\w+|random\w*|clock_timestamp|timeofday|nextval) ?\("
)
_REWRITE: Final = re.compile(
    r"\b(?:small|big)?serial\b|generated always as ?\(|generated (?:always|by default) as identity"
)
_ROW_LOCKS: Final = re.compile(r"(?:update|delete from) (?:only )?" + _NAME)
_EXCLUSIVE: Final = re.compile(
    r"truncate\b|lock\b|vacuum full\b|cluster\b|drop index (?!concurrently)|reindex (?!.*concurrently)"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault.

    Attributes:
        migration: the file, without its suffix.
        line: where the statement begins, from 1.
        rule: the rule's name, as `-- hal9: allow` takes it.
        text: what is wrong, and what to write instead.
    """

    migration: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.migration}.sql:{self.line}: {self.rule}: {self.text}"


@dataclass(frozen=True, slots=True)
class _File:
    """What the rules know of the whole file."""

    transactional: bool
    statements: tuple[Statement, ...]
    created: frozenset[str]

    def has(self, pattern: str) -> bool:
        return any(re.search(pattern, statement.text) for statement in self.statements)


def lint(migrations: Iterable[Migration]) -> list[Finding]:
    """The faults of the migrations, in order; none means that they are safe as far as the rules go."""
    return [finding for migration in migrations for finding in _lint(migration)]


def _lint(migration: Migration) -> Iterator[Finding]:
    statements = tuple(split(migration.sql))
    created = frozenset(
        _plain(match["table"]) for statement in statements if (match := _CREATE_TABLE.match(statement.text))
    )
    file = _File(migration.transactional, statements, created)
    if not migration.transactional and len(statements) != 1:
        text = "a file without a transaction holds a single statement, as a failure would leave half of it done"
        yield Finding(str(migration), 1, "no-transaction", text)
    for statement in statements:
        for check in _CHECKS:
            for rule, text in check(statement.text, file):
                if rule not in statement.allowed:
                    yield Finding(str(migration), statement.line, rule, text)


def _plain(name: str) -> str:
    """A table's name for comparison: no quotes, no blanks, no `public.`."""
    return name.replace('"', "").replace(" ", "").removeprefix("public.")


Fault = tuple[str, str]

_CONCURRENTLY_ALONE: Final[Fault] = (
    "no-transaction",
    "CREATE INDEX CONCURRENTLY cannot run in a transaction: begin the file with `-- hal9: no-transaction`",
)
_INDEX_LOCKS: Final[Fault] = (
    "index-locks",
    "CREATE INDEX blocks writes to a table in use: write CREATE INDEX CONCURRENTLY, in a file of its own",
)
_RENAME: Final[Fault] = (
    "rename",
    "the release before still uses the old name: add the new one beside it, drop the old one a release later",
)
_SET_NOT_NULL: Final[Fault] = (
    "set-not-null",
    "SET NOT NULL scans the table under an exclusive lock: ADD CONSTRAINT ... CHECK (... IS NOT NULL) NOT VALID, "
    "VALIDATE it in the next migration, then SET NOT NULL with an `allow`",
)
_TYPE_CHANGE: Final[Fault] = (
    "type-change",
    "changing a type rewrites the table under an exclusive lock: add a column of the new type instead",
)
_DROP_COLUMN: Final[Fault] = (
    "drop-column",
    "the release before still reads it: stop using it first, drop it a release later with an `allow`",
)
_DROP_TABLE: Final[Fault] = (
    "drop-table",
    "the release before still uses it: stop using it first, drop it a release later with an `allow`",
)
_UNIQUE_CONSTRAINT: Final[Fault] = (
    "add-constraint",
    "it builds an index under an exclusive lock: CREATE UNIQUE INDEX CONCURRENTLY first, "
    "then ADD CONSTRAINT ... USING INDEX",
)
_CONSTRAINT: Final[Fault] = (
    "add-constraint",
    "it scans the table under a lock: add it NOT VALID, and VALIDATE it in the next migration",
)
_COLUMN_VOLATILE: Final[Fault] = (
    "add-column",
    "a volatile default rewrites the table under an exclusive lock: add the column without it, fill it in batches",
)
_COLUMN_NOT_NULL: Final[Fault] = (
    "add-column",
    "NOT NULL without a default fails on a table with rows: give it a constant default",
)
_COLUMN_UNIQUE: Final[Fault] = (
    "add-column",
    "it builds an index under an exclusive lock: add the column, then CREATE UNIQUE INDEX CONCURRENTLY",
)
_COLUMN_CONSTRAINT: Final[Fault] = (
    "add-column",
    "its constraint scans the table under a lock: add the column, then the constraint NOT VALID",
)
_SEARCH_PATH: Final[Fault] = (
    "definer",
    "a SECURITY DEFINER function needs SET search_path = pg_catalog, ..., pg_temp: "
    "otherwise its caller chooses what it calls",
)
_BACKFILL: Final[Fault] = (
    "backfill",
    "it locks every row that it touches until the migration ends: fill in batches, outside migrations",
)


def _index(text: str, file: _File) -> Iterator[Fault]:
    match = _CREATE_INDEX.match(text)
    if match is None:
        return
    if match["how"] and file.transactional:
        yield _CONCURRENTLY_ALONE
    if not match["how"] and _plain(match["table"]) not in file.created:
        yield _INDEX_LOCKS


def _alter(text: str, file: _File) -> Iterator[Fault]:
    match = _ALTER_TABLE.match(text)
    if match is None or _plain(match["table"]) in file.created:
        return
    if match["actions"].startswith("rename"):
        yield _RENAME
        return
    for action in _at_top(match["actions"]):
        yield from _action(action)


def _action(action: str) -> Iterator[Fault]:
    """The faults of one action of ALTER TABLE on a table in use."""
    if _NOT_NULL.match(action):
        yield _SET_NOT_NULL
    elif _TYPE.match(action):
        yield _TYPE_CHANGE
    elif re.match(r"drop (?:column )?(?!constraint\b)", action):
        yield _DROP_COLUMN
    elif constraint := _ADD_CONSTRAINT.match(action):
        if constraint["what"] in {"unique", "primary key"}:
            if "using index" not in action:
                yield _UNIQUE_CONSTRAINT
        elif "not valid" not in action:
            yield _CONSTRAINT
    elif _ADD_COLUMN.match(action):
        yield from _column(action)


def _column(action: str) -> Iterator[Fault]:
    if _REWRITE.search(action) or _VOLATILE.search(action.partition("default")[2]):
        yield _COLUMN_VOLATILE
    if "not null" in action and "default" not in action:
        yield _COLUMN_NOT_NULL
    if re.search(r"\b(?:unique|primary key)\b", action):
        yield _COLUMN_UNIQUE
    if re.search(r"\b(?:references|check)\b", action):
        yield _COLUMN_CONSTRAINT


def _tenancy(text: str, file: _File) -> Iterator[Fault]:
    """A new table is of organisations: org_id leads its primary key; row-level security holds for its owner, too."""
    match = _CREATE_TABLE.match(text)
    if match is None or match["rest"].startswith("partition of"):
        return
    table = _plain(match["table"])
    if text.startswith("create unlogged"):
        yield "unlogged", f"a crash empties {table}, and replicas, backups and moves leave it out: CREATE TABLE"
    name = rf"(?:public\.)?{re.escape(table)}\b"
    if not _led_by_organisation(match["rest"]):
        yield "org-id", f"the primary key of {table} must begin with org_id: a tenant's rows lie and move together"
    for what in ("enable", "force"):
        if not file.has(rf"alter table (?:only )?{name}.*(?<!no )\b{what} row level security"):
            yield "row-security", f"write ALTER TABLE {table} {what.upper()} ROW LEVEL SECURITY"
    if not file.has(rf"create policy .+? on {name}"):
        yield (
            "row-security",
            f"write CREATE POLICY ... ON {table} USING (org_id = current_setting('hal9.org_id', true)::uuid)",
        )


def _led_by_organisation(rest: str) -> bool:
    body = rest[rest.find("(") + 1 : rest.rfind(")")]
    columns = _at_top(body)
    key = next((part for part in columns if re.match(r"(?:constraint \S+ )?primary key ?\(", part)), None)
    if key is not None:
        return re.match(r'"?org_id"?\b', key.partition("(")[2].strip()) is not None
    return any(re.match(r'"?org_id"? uuid\b.*\bprimary key', part) for part in columns)


def _functions(text: str, file: _File) -> Iterator[Fault]:
    match = _FUNCTION.match(text)
    if match is None or "security definer" not in text:
        return
    name = match["name"]
    if "set search_path" not in text:
        yield _SEARCH_PATH
    if not file.has(rf"revoke (?:all|execute)\b.* on function {re.escape(name)}\b.* from public"):
        yield "definer", f"everyone may call it: REVOKE ALL ON FUNCTION {name} FROM PUBLIC, then GRANT it to hal9_app"


def _others(text: str, file: _File) -> Iterator[Fault]:
    if text.startswith(("drop table", "drop schema")):
        yield _DROP_TABLE
    rows = _ROW_LOCKS.match(text)
    if rows and _plain(rows["table"]) not in file.created:
        yield _BACKFILL
    locked = _EXCLUSIVE.match(text)
    if locked:
        yield "exclusive-lock", f"{locked[0].strip().upper()} locks out everyone: use CONCURRENTLY, or another time"


_CHECKS: Final[tuple[Callable[[str, _File], Iterator[Fault]], ...]] = (_index, _alter, _tenancy, _functions, _others)


def _at_top(text: str) -> list[str]:
    """Cut at the commas that are in no parentheses."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
    return [*parts, text[start:].strip()]
