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
               FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
               JOIN pg_namespace sn ON sn.oid = s.relnamespace
              WHERE d.classid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.deptype IN ('a', 'i')
              ORDER BY 1) AS sequences
  FROM tenant_tables() AS t(oid) JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace n ON n.oid = c.relnamespace
 ORDER BY 1
"""


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


def _columns(written: Sequence[str] | None) -> tuple[tuple[str, str], ...]:
    return tuple(_column(one) for one in written or ())


def _column(written: str) -> tuple[str, str]:
    """Cut `"a name" type` or `name type` after the name."""
    end = written.index('" ', 1) + 1 if written.startswith('"') else written.index(" ")
    return written[:end], written[end + 1 :]


async def last_numbers(connection: Connection, sequences: Sequence[str]) -> dict[str, int]:
    """The last number that each of these sequences gave out, or its first one before that; in one round trip."""
    if not sequences:
        return {}
    each = (f"SELECT {_literal(name)} AS name, last_value FROM {name}" for name in sequences)  # noqa: S608 - quoted
    return {row["name"]: row["last_value"] for row in await connection.fetch(" UNION ALL ".join(each))}


async def advance(connection: Connection, numbers: Mapping[str, int]) -> None:
    """Let sequences give out nothing up to these numbers; in one round trip."""
    each = [
        f"SELECT setval({_literal(name)}, {last:d}) FROM {name} WHERE last_value < {last:d}"  # noqa: S608 - quoted
        for name, last in numbers.items()
    ]
    if each:
        await connection.execute(";".join(each))


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
