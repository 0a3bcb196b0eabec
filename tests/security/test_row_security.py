"""Row-level security: every table of every shard, tried with a foreign organisation; nothing new gets past."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from knative.platform.servers import Postgres, Servers

    Connection = asyncpg.Connection[asyncpg.Record]

MINE: Final = UUID("11111111-1111-4111-8111-111111111111")
FOREIGN: Final = UUID("22222222-2222-4222-8222-222222222222")
NOBODY: Final = UUID(int=0)  # what a session of hal9_app has before a transaction sets an organisation

# Tables that belong to the platform, not to an organisation, and what hal9_app may do with them.
PLATFORM_TABLES: Final = {
    "directory.shards": {"SELECT"},
    "directory.slots": {"SELECT"},
    "migrations.applied": set(),
    "public.primary_lease": {"SELECT"},
}
# Functions that run with the rights of whoever owns the tables, and what for.
OWNERS_FUNCTIONS: Final = {
    "public.tenant_drop_copy": "deletes what a move left, also of tables that a later migration brings",
}
PRIVILEGES: Final = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")

TABLES: Final = """
SELECT n.nspname || '.' || c.relname AS name, c.oid, c.relrowsecurity, c.relforcerowsecurity,
       pg_get_userbyid(c.relowner) AS owner
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 ORDER BY 1
"""
COLUMNS: Final = """
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type, t.typtype::text AS kind,
       (SELECT enumlabel FROM pg_enum WHERE enumtypid = a.atttypid ORDER BY enumsortorder LIMIT 1) AS label
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
 WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity <> 'a'
"""
KEY: Final = """
SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
 WHERE i.indrelid = $1 AND i.indisprimary
"""
CHECKS: Final = "SELECT conname FROM pg_constraint WHERE conrelid = $1 AND contype IN ('c', 'x')"
VIEWS: Final = """
SELECT n.nspname || '.' || c.relname AS name, c.relkind::text AS kind,
       coalesce(c.reloptions && ARRAY['security_invoker=true', 'security_invoker=on'], false) AS safe
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND has_table_privilege('hal9_app', c.oid, 'SELECT')
"""
DEFINERS: Final = """
SELECT n.nspname || '.' || p.proname AS name, pg_get_userbyid(p.proowner) AS owner,
       coalesce(array_to_string(p.proconfig, ' ') LIKE '%search_path=%', false) AS fixed_path,
       EXISTS (SELECT 1 FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) WHERE grantee = 0) AS everyone
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE p.prosecdef AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""
VALUES: Final[dict[str, str]] = {
    "uuid": "'33333333-3333-4333-8333-333333333333'",
    "boolean": "true",
    "bytea": r"'\x00'",
    "json": "'{}'",
    "jsonb": "'{}'",
    "interval": "'1 second'",
    "date": "'2026-01-01'",
    "timestamp with time zone": "'2026-01-01T00:00:00Z'",
    "smallint": "1",
    "integer": "1",
    "bigint": "1",
    "numeric": "1",
    "double precision": "1",
}


def literal(column: asyncpg.Record, org_id: UUID) -> str:
    """A value for a column; the organisation's own for org_id."""
    if column["name"] == "org_id":
        return f"'{org_id}'"
    if column["kind"] == "e":
        return f"'{column['label']}'"
    if column["type"].endswith("[]"):
        return "'{}'"
    return VALUES.get(column["type"], "'x'")


@asynccontextmanager
async def undone(connection: Connection) -> AsyncIterator[None]:
    """What is done inside is rolled back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


@asynccontextmanager
async def superuser(server: Postgres) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(server.dsn("postgres"))
    try:
        yield connection
    finally:
        await connection.close()


async def attempt(connection: Connection, org_id: UUID, sql: str, *, fetch: bool = False) -> Any:
    """Run one statement as hal9_app for an organisation; an InsufficientPrivilegeError is a value."""
    async with undone(connection):
        try:
            await connection.execute(f"SET LOCAL ROLE hal9_app; SET LOCAL hal9.org_id = '{org_id}'")
            return await (connection.fetchval(sql) if fetch else connection.execute(sql))
        except asyncpg.InsufficientPrivilegeError:
            return "refused"
        except asyncpg.UniqueViolationError:
            return "came through to the index"


async def table_faults(connection: Connection, table: asyncpg.Record) -> list[str]:
    """What is wrong with one table of organisations."""
    name = table["name"]
    faults = []
    if not table["relrowsecurity"]:
        faults.append(f"{name}: row-level security is off")
    if not table["relforcerowsecurity"]:
        faults.append(f"{name}: row-level security is not forced on its owner")
    if table["owner"] != "hal9_owner":
        faults.append(f"{name}: belongs to {table['owner']}")
    columns = await connection.fetch(COLUMNS, table["oid"])
    if await connection.fetchval(KEY, table["oid"]) != "org_id":
        return [*faults, f"{name}: org_id does not lead its primary key"]
    async with undone(connection):
        # Foreign keys and checks are not what is tried here: without them any row will do.
        await connection.execute("SET LOCAL session_replication_role = replica")
        for row in await connection.fetch(CHECKS, table["oid"]):
            await connection.execute(f'ALTER TABLE {name} DROP CONSTRAINT "{row["conname"]}"')
        names = ", ".join(f'"{column["name"]}"' for column in columns)
        values = ", ".join(literal(column, MINE) for column in columns)
        insert = f"INSERT INTO {name} ({names}) VALUES ({values})"
        await connection.execute(insert)
        faults += await row_faults(connection, name, insert.replace("33333333-", "44444444-").replace("'x'", "'y'"))
    return faults


async def row_faults(connection: Connection, name: str, insert: str) -> list[str]:
    """What hal9_app can do with a row of MINE as FOREIGN, or as nobody."""
    faults = []
    count = f"SELECT count(*) FROM {name}"
    if await attempt(connection, MINE, count, fetch=True) not in {1, "refused"}:
        faults.append(f"{name}: its own organisation does not see its row")
    writable = await connection.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped"
        " AND has_column_privilege('hal9_app', attrelid, attnum, 'UPDATE')",
        name,
    )
    column = writable[0]["attname"] if writable else "org_id"
    for who in (FOREIGN, NOBODY):
        if await attempt(connection, who, count, fetch=True) not in {0, "refused"}:
            faults.append(f"{name}: {who} reads another organisation's row")
        if await attempt(connection, who, f'UPDATE {name} SET "{column}" = "{column}"') not in {"UPDATE 0", "refused"}:
            faults.append(f"{name}: {who} changes another organisation's row")
        if await attempt(connection, who, f"DELETE FROM {name}") not in {"DELETE 0", "refused"}:
            faults.append(f"{name}: {who} deletes another organisation's row")
        if await attempt(connection, who, insert) != "refused":
            faults.append(f"{name}: {who} inserts a row of another organisation")
    return faults


async def platform_table_faults(connection: Connection, name: str) -> list[str]:
    allowed = {
        privilege
        for privilege in PRIVILEGES
        if await connection.fetchval("SELECT has_table_privilege('hal9_app', $1, $2)", name, privilege)
    }
    extra = allowed - PLATFORM_TABLES[name]
    return [f"{name}: hal9_app may {', '.join(sorted(extra))}"] if extra else []


async def faults_of(connection: Connection) -> list[str]:
    """Everything that is wrong in one database."""
    faults = []
    for table in await connection.fetch(TABLES):
        if table["name"] in PLATFORM_TABLES:
            faults += await platform_table_faults(connection, table["name"])
        else:
            faults += await table_faults(connection, table)
    for view in await connection.fetch(VIEWS):
        if view["kind"] == "m" or not view["safe"]:
            faults.append(f"{view['name']}: a view that reads with its owner's rights")
    for function in await connection.fetch(DEFINERS):
        if function["owner"] != "hal9_definer" and function["name"] not in OWNERS_FUNCTIONS:
            faults.append(f"{function['name']}: runs with the rights of {function['owner']}")
        if not function["fixed_path"]:
            faults.append(f"{function['name']}: its caller chooses the search path")
        if function["everyone"]:
            faults.append(f"{function['name']}: everyone may call it")
    return faults


async def test_no_table_shows_a_foreign_organisation_anything(servers: Servers) -> None:
    for server in servers.postgres:
        async with superuser(server) as connection:
            names = {row["name"] for row in await connection.fetch(TABLES)}
            assert "public.tenants" in names
            assert await faults_of(connection) == []


async def test_the_application_has_no_rights_of_its_own(servers: Servers) -> None:
    for server in servers.postgres:
        async with superuser(server) as connection:
            for role in ("hal9_app", "hal9_definer"):
                row = await connection.fetchrow(
                    "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles"
                    " WHERE rolname = $1",
                    role,
                )
                assert row is not None
                assert not any(row.values()), role
            member = "SELECT count(*) FROM pg_auth_members WHERE member = 'hal9_app'::regrole"
            assert await connection.fetchval(member) == 0
            owned = "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'hal9_app'::regrole AND deptype = 'o'"
            assert await connection.fetchval(owned) == 0
            assert not await connection.fetchval("SELECT has_schema_privilege('hal9_app', 'public', 'CREATE')")
            assert not await connection.fetchval("SELECT has_database_privilege('hal9_app', 'hal9', 'CREATE, TEMP')")


async def test_a_session_belongs_to_nobody_before_and_after_a_transaction(servers: Servers) -> None:
    connection = await asyncpg.connect(servers.postgres[0].dsn("hal9_app"))
    try:
        current = "SELECT current_setting('hal9.org_id')::uuid"
        assert await connection.fetchval(current) == NOBODY
        async with connection.transaction():
            await connection.execute(f"SET LOCAL hal9.org_id = '{MINE}'")
            assert await connection.fetchval(current) == MINE
        assert await connection.fetchval(current) == NOBODY
    finally:
        await connection.close()


OWN = "USING (org_id = current_setting('hal9.org_id', true)::uuid)"
VIEW = "CREATE VIEW oops AS SELECT * FROM tenants; GRANT SELECT ON oops TO hal9_app"
DEFINER = "CREATE FUNCTION oops() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"
ANY_INSERT = f"CREATE POLICY own ON oops FOR SELECT {OWN}; CREATE POLICY w ON oops FOR INSERT WITH CHECK (true)"
SECURED = "ALTER TABLE oops ENABLE ROW LEVEL SECURITY; ALTER TABLE oops FORCE ROW LEVEL SECURITY;"
TABLE = "CREATE TABLE oops (org_id uuid PRIMARY KEY, said text); GRANT ALL ON oops TO hal9_app;"


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        (TABLE, "row-level security is off"),
        (TABLE + "ALTER TABLE oops ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON oops " + OWN, "not forced"),
        (TABLE + SECURED, "does not see its row"),
        (TABLE + SECURED + "CREATE POLICY every ON oops USING (true)", "reads another organisation's row"),
        (TABLE + SECURED + ANY_INSERT, "inserts a row of another organisation"),
        (TABLE.replace("org_id uuid", "id uuid") + SECURED, "org_id does not lead its primary key"),
        (VIEW, "owner's rights"),
        (DEFINER, "runs with the rights of hal9_owner"),
        (DEFINER, "its caller chooses the search path"),
        (DEFINER, "everyone may call it"),
    ],
)  # fmt: skip
async def test_the_walk_finds_what_a_careless_migration_leaves_open(servers: Servers, sql: str, fault: str) -> None:
    async with superuser(servers.postgres[1]) as connection, undone(connection):
        await connection.execute(f"SET LOCAL ROLE hal9_owner; {sql}; RESET ROLE")
        assert any("oops" in found and fault in found for found in await faults_of(connection))
