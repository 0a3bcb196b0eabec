-- What a superuser runs once on each shard's server, connected to its database `hal9`, before the first `hal9 migrate`.
-- The embedded servers run it by themselves. Give the two LOGIN roles passwords when the server is reached over a network.

CREATE ROLE hal9_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE BYPASSRLS;
CREATE ROLE hal9_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
CREATE ROLE hal9_definer NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
-- Copies the data folder and receives the WAL, for backups (HAL9_BACKUP_SHARDS): it reads every row, as whoever restores a backup can.
CREATE ROLE hal9_backup LOGIN REPLICATION NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
GRANT EXECUTE ON FUNCTION pg_create_restore_point(text), pg_switch_wal(), pg_ls_waldir() TO hal9_backup;
-- How far its own receiver has come: without this right PostgreSQL shows nobody but a superuser more than that it runs.
GRANT pg_read_all_stats TO hal9_backup;

-- The owner makes functions that run as hal9_definer, and reads the statistics that `hal9 shards` shows.
GRANT hal9_definer TO hal9_owner;
GRANT pg_monitor TO hal9_owner;
-- Where functions have taken every other connection, the server keeps some for it (reserved_connections): whoever is to mend that must get in.
GRANT pg_use_reserved_connections TO hal9_owner;
-- And moves organisations from one server to another by logical replication, for which the server needs wal_level = logical.
ALTER ROLE hal9_owner REPLICATION;
GRANT pg_create_subscription TO hal9_owner;

-- What no session may outlive when nobody set it closer: a forgotten transaction would hold its locks, and the epoch fence, for ever.
ALTER ROLE hal9_app SET statement_timeout = '60s';
ALTER ROLE hal9_app SET lock_timeout = '5s';
ALTER ROLE hal9_app SET idle_in_transaction_session_timeout = '30s';
-- No organisation until a transaction sets one. Without a default the setting would be empty after the first SET LOCAL, which is no uuid.
ALTER ROLE hal9_app SET hal9.org_id = '00000000-0000-0000-0000-000000000000';

DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I OWNER TO hal9_owner', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO hal9_app, hal9_backup', current_database());
END $$;
ALTER SCHEMA public OWNER TO hal9_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO hal9_app;
GRANT USAGE, CREATE ON SCHEMA public TO hal9_definer;
