"""The linter of migrations: each rule with what it must find and what it must leave alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.database.migrations import Migration, read
from shared.database.migrations.linter import lint
from shared.database.migrations.statements import split

SECURED = """
ALTER TABLE things ENABLE ROW LEVEL SECURITY;
ALTER TABLE things FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON things TO hal9_app USING (org_id = current_setting('hal9.org_id', true)::uuid);
"""
THINGS = "CREATE TABLE things (org_id uuid NOT NULL, id uuid NOT NULL, name text, PRIMARY KEY (org_id, id));" + SECURED

TABLE = "CREATE TABLE things (org_id uuid PRIMARY KEY);"
DEFINER = "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER "


def rules(sql: str) -> list[str]:
    return [finding.rule for finding in lint([Migration("shard", 9, "example", sql)])]


def test_our_own_migrations_are_clean() -> None:
    assert [str(finding) for finding in lint(read())] == []


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("CREATE INDEX runs_by_state ON runs (org_id, state);", "index-locks"),
        ("create unique index on public.runs (org_id, name);", "index-locks"),
        ("CREATE INDEX IF NOT EXISTS x ON ONLY runs (org_id);", "index-locks"),
        ("CREATE INDEX CONCURRENTLY x ON runs (org_id);", "no-transaction"),
        ("-- hal9: no-transaction\nCREATE INDEX CONCURRENTLY x ON runs (org_id); SELECT 1;", "no-transaction"),
        ("ALTER TABLE runs ALTER COLUMN name SET NOT NULL;", "set-not-null"),
        ("ALTER TABLE runs ALTER name SET NOT NULL;", "set-not-null"),
        ("ALTER TABLE runs ADD COLUMN id uuid DEFAULT gen_random_uuid();", "add-column"),
        ("ALTER TABLE runs ADD at timestamptz NOT NULL DEFAULT clock_timestamp();", "add-column"),
        ("ALTER TABLE runs ADD COLUMN number bigserial;", "add-column"),
        ("ALTER TABLE runs ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;", "add-column"),
        ("ALTER TABLE runs ADD COLUMN double int GENERATED ALWAYS AS (n * 2) STORED;", "add-column"),
        ("ALTER TABLE runs ADD COLUMN name text NOT NULL;", "add-column"),
        ("ALTER TABLE runs ADD COLUMN name text UNIQUE;", "add-column"),
        ("ALTER TABLE runs ADD COLUMN age int CHECK (age > 0);", "add-column"),
        ("ALTER TABLE runs ADD CONSTRAINT positive CHECK (age > 0);", "add-constraint"),
        ("ALTER TABLE runs ADD CHECK (age > 0);", "add-constraint"),
        ("ALTER TABLE runs ADD FOREIGN KEY (org_id) REFERENCES tenants;", "add-constraint"),
        ("ALTER TABLE runs ADD CONSTRAINT one UNIQUE (org_id, name);", "add-constraint"),
        ("ALTER TABLE runs ADD COLUMN a int, ADD CONSTRAINT positive CHECK (age > 0);", "add-constraint"),
        ("ALTER TABLE runs ALTER COLUMN age TYPE bigint;", "type-change"),
        ("ALTER TABLE runs ALTER age SET DATA TYPE bigint;", "type-change"),
        ("ALTER TABLE runs DROP COLUMN age;", "drop-column"),
        ("ALTER TABLE runs DROP age;", "drop-column"),
        ("ALTER TABLE runs RENAME COLUMN age TO years;", "rename"),
        ("ALTER TABLE IF EXISTS runs RENAME TO races;", "rename"),
        ("DROP TABLE runs;", "drop-table"),
        ("UPDATE runs SET age = 0;", "backfill"),
        ("DELETE FROM runs WHERE age IS NULL;", "backfill"),
        ("TRUNCATE runs;", "exclusive-lock"),
        ("LOCK TABLE runs;", "exclusive-lock"),
        ("DROP INDEX runs_by_state;", "exclusive-lock"),
        ("REINDEX TABLE runs;", "exclusive-lock"),
        ("CREATE TABLE things (id uuid PRIMARY KEY, org_id uuid);" + SECURED, "org-id"),
        ("CREATE TABLE things (id uuid, org_id uuid, PRIMARY KEY (id, org_id));" + SECURED, "org-id"),
        ("CREATE TABLE things (org_id uuid, name text);" + SECURED, "org-id"),
        (TABLE.replace("TABLE", "UNLOGGED TABLE") + SECURED, "unlogged"),
        (TABLE + SECURED.replace("FORCE", "NO FORCE"), "row-security"),
        (TABLE + SECURED.replace("things ENABLE", "others ENABLE"), "row-security"),
        (TABLE + SECURED.replace("CREATE POLICY", "DROP POLICY"), "row-security"),
        (TABLE + "-- " + SECURED.replace("\n", " "), "row-security"),
        (DEFINER + "AS 'SELECT 1'; REVOKE ALL ON FUNCTION f() FROM PUBLIC;", "definer"),
        (DEFINER + "SET search_path = pg_catalog AS 'SELECT 1';", "definer"),
    ],
)  # fmt: skip
def test_it_finds(sql: str, rule: str) -> None:
    assert rule in rules(sql)


@pytest.mark.parametrize(
    "sql",
    [
        THINGS,
        THINGS + "CREATE INDEX ON things (org_id, name); ALTER TABLE things ADD CONSTRAINT c CHECK (name <> '');",
        'CREATE TABLE "things" ("org_id" uuid PRIMARY KEY);' + SECURED,
        "CREATE TABLE public.things (org_id uuid PRIMARY KEY);" + SECURED,
        "-- hal9: no-transaction\nCREATE INDEX CONCURRENTLY x ON runs (org_id);",
        "-- hal9: no-transaction\nDROP INDEX CONCURRENTLY x;",
        "ALTER TABLE runs ADD COLUMN name text;",
        "ALTER TABLE runs ADD COLUMN made timestamptz NOT NULL DEFAULT now();",
        "ALTER TABLE runs ADD COLUMN state text NOT NULL DEFAULT 'unique, check (or not)';",
        "ALTER TABLE runs ADD CONSTRAINT positive CHECK (age > 0) NOT VALID;",
        "ALTER TABLE runs VALIDATE CONSTRAINT positive;",
        "ALTER TABLE runs ADD CONSTRAINT one UNIQUE USING INDEX runs_name;",
        "ALTER TABLE runs DROP CONSTRAINT positive;",
        "ALTER TABLE runs ALTER COLUMN age SET DEFAULT 3;",
        "INSERT INTO runs SELECT 'DROP TABLE runs; TRUNCATE runs';",
        "-- DROP TABLE runs;\n/* TRUNCATE runs; /* nested */ LOCK runs; */ SELECT 1;",
        "DO $body$ BEGIN EXECUTE 'DROP TABLE runs; '; END $body$;",
        "SELECT E'it\\'s; DROP TABLE runs';",
        DEFINER + "SET search_path = pg_catalog AS $$ SELECT 1 $$; REVOKE ALL ON FUNCTION f() FROM PUBLIC;",
        "-- hal9: allow drop-column: nobody reads it since release 7\nALTER TABLE runs DROP COLUMN age;",
        "-- hal9: allow drop-table, backfill: both are of an abandoned feature\nDROP TABLE runs;",
    ],
)  # fmt: skip
def test_it_leaves_alone(sql: str) -> None:
    assert rules(sql) == []


def test_an_allowance_holds_for_its_statement_only() -> None:
    sql = "-- hal9: allow drop-column: unused\nALTER TABLE runs DROP COLUMN a;\nALTER TABLE runs DROP COLUMN b;"
    (finding,) = lint([Migration("shard", 9, "example", sql)])
    assert (finding.line, finding.rule) == (3, "drop-column")
    assert str(finding).startswith("shard/0009_example.sql:3: drop-column: ")


def test_an_allowance_without_a_reason_is_none() -> None:
    assert rules("-- hal9: allow drop-column:\nALTER TABLE runs DROP COLUMN a;") == ["drop-column"]


@given(st.text(st.sampled_from("ab;'\"$-/*\n E\\"), max_size=60))
def test_any_text_is_cut_into_statements(sql: str) -> None:
    for statement in split(sql):
        assert statement.text.strip()
        assert 1 <= statement.line <= sql.count("\n") + 1
