-- The directory: which organisation lives on which shard, in which region. It is on the first shard only, in a schema of its own.
-- It is authoritative: the slot map gives a new organisation its place and is never asked again.

CREATE SCHEMA directory;
GRANT USAGE ON SCHEMA directory TO hal9_app, hal9_definer;

CREATE TABLE directory.organisations (
    org_id     uuid PRIMARY KEY CHECK (org_id <> '00000000-0000-0000-0000-000000000000'),
    shard      smallint NOT NULL CHECK (shard >= 0),
    region     text NOT NULL CHECK (region <> ''),
    epoch      bigint NOT NULL DEFAULT 1 CHECK (epoch > 0),
    tier       text NOT NULL DEFAULT 'standard',
    created_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE directory.organisations ENABLE ROW LEVEL SECURITY;
ALTER TABLE directory.organisations FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON directory.organisations TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
-- No UPDATE: moving an organisation is the owner's work.
GRANT SELECT, INSERT ON directory.organisations TO hal9_app;

-- 16384 slots, as Redis Cluster has: slot = CRC16 of the organisation's bytes mod 16384. No tenant's data, so everyone may read it.
-- The migration's runner says how many shards there are.
-- hal9: allow org-id: the slots are the platform's, not an organisation's
CREATE TABLE directory.slots (
    slot  smallint PRIMARY KEY CHECK (slot BETWEEN 0 AND 16383),
    shard smallint NOT NULL CHECK (shard >= 0)
);
INSERT INTO directory.slots (slot, shard)
SELECT slot, slot * current_setting('hal9.shard_count')::int / 16384 FROM generate_series(0, 16383) AS slot;
ALTER TABLE directory.slots ENABLE ROW LEVEL SECURITY;
ALTER TABLE directory.slots FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON directory.slots FOR SELECT USING (true);
GRANT SELECT ON directory.slots TO hal9_app;

CREATE TABLE directory.api_keys (
    org_id       uuid NOT NULL,
    key_id       uuid NOT NULL,
    prefix       text NOT NULL UNIQUE,
    secret_hash  bytea NOT NULL,
    name         text NOT NULL,
    roles        text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    PRIMARY KEY (org_id, key_id)
);
ALTER TABLE directory.api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE directory.api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON directory.api_keys TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
CREATE POLICY by_prefix ON directory.api_keys FOR SELECT TO hal9_definer USING (true);
-- No DELETE: a key is revoked, never forgotten.
GRANT SELECT, INSERT, UPDATE ON directory.api_keys TO hal9_app;
GRANT SELECT ON directory.api_keys TO hal9_definer;

-- Who presents a key has no organisation yet: the one look-up across organisations, of one row, by the part of the key that is not secret.
CREATE FUNCTION directory.api_key_by_prefix(wanted text) RETURNS SETOF directory.api_keys
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT * FROM directory.api_keys WHERE prefix = wanted $$;
REVOKE ALL ON FUNCTION directory.api_key_by_prefix(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory.api_key_by_prefix(text) TO hal9_app;
GRANT CREATE ON SCHEMA directory TO hal9_definer;
ALTER FUNCTION directory.api_key_by_prefix(text) OWNER TO hal9_definer;
REVOKE CREATE ON SCHEMA directory FROM hal9_definer;
