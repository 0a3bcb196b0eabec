"""An organisation's tables, found from the catalogue: what a move copies, compares and takes away.

Promises: a table with `org_id` that a later migration brings is found without anybody naming it; what cannot be moved
is named before anything is done. Source: PostgreSQL manual, 29.4 Row Filters (columns of a filter must be in the
replica identity), 29.8 Restrictions (sequences are not replicated).
Does not: know what tables mean. One that must stay on its shard says `hal9: stays` in its comment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

_TABLES: Final = """
SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relreplident::text AS identity,
       (SELECT array_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod) ORDER BY a.attname)
          FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
       (SELECT array_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod) ORDER BY k.place)
          FROM pg_index i, unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(number, place)
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
         WHERE i.indrelid = c.oid AND i.indisprimary) AS key,
       ARRAY(SELECT format('%I.%I', sn.nspname, s.relname)
               FROM pg_class s JOIN pg_namespace sn ON sn.oid = s.relnamespace
              WHERE s.relkind = 'S' AND s.oid IN (
                    SELECT d.objid FROM pg_depend d
                     WHERE d.classid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.deptype IN ('a', 'i')
                     UNION SELECT d.refobjid FROM pg_attrdef f
                      JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
                     WHERE f.adrelid = c.oid AND d.refclassid = 'pg_class'::regclass)
              ORDER BY 1) AS sequences
  FROM tenant_tables() AS t(oid) JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace n ON n.oid = c.relnamespace
 ORDER BY 1
"""

_UNLOGGED: Final = """
SELECT format('%I.%I', n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'u'
   AND coalesce(obj_description(c.oid, 'pg_class'), '') NOT LIKE '%hal9: stays%'
 ORDER BY 1
"""
_GIVEN: Final = "s.last_value - CASE WHEN s.is_called THEN 0 ELSE q.seqincrement END"
"""The last number that the sequence `s` has given out; before its first one, the one that would have been before."""


@dataclass(frozen=True, slots=True)
class Table:
    """One of an organisation's tables.

    Attributes:
        name: With its schema, as SQL has it.
        columns: Name and type of each as SQL has them, by name; generated ones are left out.
        key: Those of its primary key, in the key's order; empty without one.
        identity: How replication identifies a row: `d` by the primary key, `f` by the whole row, `i` by an index,
            `n` not at all.
        sequences: That its columns draw from.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[tuple[str, str], ...]
    identity: str
    sequences: tuple[str, ...]

    @property
    def own_key(self) -> tuple[tuple[str, str], ...]:
        """The key within an organisation."""
        return tuple(column for column in self.key if column[0] != "org_id")

    @property
    def fault(self) -> str | None:
        """Why it cannot be moved; None when it can."""
        if not self.key or len(self.own_key) == len(self.key):
            return f"{self.name} has no primary key with org_id in it"
        if self.identity not in {"d", "f"}:
            return f"{self.name} must have REPLICA IDENTITY DEFAULT or FULL"
        return None


async def tables(connection: Connection) -> list[Table]:
    """Every table of organisations on a shard, by name."""
    return [
        Table(row["name"], _columns(row["columns"]), _columns(row["key"]), row["identity"], tuple(row["sequences"]))
        for row in await connection.fetch(_TABLES)
    ]


async def sizes(connection: Connection, organisations: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
    """How many rows organisations have on a shard, and how many bytes these are; who has none is left out."""
    found: dict[UUID, tuple[int, int]] = {}
    for table in await tables(connection):
        statement = (
            f"SELECT org_id, count(*) AS rows, sum(pg_column_size(t.*))::bigint AS bytes FROM {table.name} AS t"  # noqa: S608 - quoted
            " WHERE org_id = ANY ($1) GROUP BY org_id"
        )
        for row in await connection.fetch(statement, organisations):
            rows, size = found.get(row["org_id"], (0, 0))
            found[row["org_id"]] = rows + row["rows"], size + row["bytes"]
    return found


async def unlogged(connection: Connection) -> list[str]:
    """Tables with `org_id` that no log has, so that nothing replicates them: none may be there where one moves."""
    return [row[0] for row in await connection.fetch(_UNLOGGED)]


def _columns(written: Sequence[str] | None) -> tuple[tuple[str, str], ...]:
    return tuple(_column(one) for one in written or ())


def _column(written: str) -> tuple[str, str]:
    """Cut `"a name" type` or `name type` after the name."""
    end = written.index('" ', 1) + 1 if written.startswith('"') else written.index(" ")
    return written[:end], written[end + 1 :]


async def last_numbers(connection: Connection, sequences: Sequence[str]) -> dict[str, int]:
    """The last number that each of these sequences gave out, or the one before its first; in one round trip."""
    if not sequences:
        return {}
    each = (f"SELECT {_literal(name)} AS name, {_GIVEN} AS given FROM {_sequence(name)}" for name in sequences)  # noqa: S608 - quoted
    return {row["name"]: row["given"] for row in await connection.fetch(" UNION ALL ".join(each))}


async def advance(connection: Connection, numbers: Mapping[str, int]) -> None:
    """Let sequences give out nothing up to these numbers, in the direction that each counts in; in one round trip."""
    each = [
        f"SELECT setval({_literal(name)}, {last:d}) FROM {_sequence(name)}"  # noqa: S608 - quoted
        f" WHERE ({last:d} - ({_GIVEN})) * sign(q.seqincrement) > 0"
        for name, last in numbers.items()
    ]
    if each:
        await connection.execute(";".join(each))


def _sequence(name: str) -> str:
    """A sequence, `s`, with its definition, `q`."""
    return f"{name} AS s JOIN pg_sequence AS q ON q.seqrelid = {_literal(name)}::regclass"


def _literal(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def differences(source: Sequence[Table], target: Sequence[Table]) -> list[str]:
    """What keeps two shards from holding the same organisation; none when nothing does."""
    there = {table.name: table for table in target}
    faults = [fault for table in source if (fault := table.fault) is not None]
    for table in source:
        other = there.get(table.name)
        if other is None:
            faults.append(f"the new shard has no table {table.name}: run `hal9 migrate`")
        elif (other.columns, other.key) != (table.columns, table.key):
            faults.append(f"{table.name} has other columns on the new shard: run `hal9 migrate`")
    return faults
