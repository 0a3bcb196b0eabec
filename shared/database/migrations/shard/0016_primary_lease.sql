-- The lease of this shard's primary (shared/replicas/lease.py): whoever watches the server extends it, and once it is over no
-- organisation writes here. Infinite where nobody watches.

-- hal9: allow org-id: the lease is the server's, not an organisation's
CREATE TABLE primary_lease (
    only_one   boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    generation bigint NOT NULL DEFAULT 1 CHECK (generation > 0),  -- one more with each promotion
    expires_at timestamptz NOT NULL DEFAULT 'infinity'
) WITH (fillfactor = 10);
INSERT INTO primary_lease DEFAULT VALUES;
ALTER TABLE primary_lease ENABLE ROW LEVEL SECURITY;
ALTER TABLE primary_lease FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON primary_lease FOR SELECT USING (true);
GRANT SELECT ON primary_lease TO hal9_app, hal9_definer;

-- True while the lease runs; then the error that a replica gives to whoever writes, so that it is taken for one.
CREATE FUNCTION lease_held() RETURNS boolean
    LANGUAGE plpgsql STABLE
    AS $$
        BEGIN
            IF (SELECT expires_at FROM public.primary_lease) > clock_timestamp() THEN
                RETURN true;
            END IF;
            RAISE EXCEPTION 'the lease of this primary is over' USING ERRCODE = 'read_only_sql_transaction';
        END
    $$;

-- Every write passes the epoch fence, which locks the organisation's row, for which this policy must let it be seen.
ALTER POLICY lock_only ON tenants USING (org_id = current_setting('hal9.org_id', true)::uuid AND lease_held());

-- What is written to the directory passes no fence; so its policies ask. They are on the first shard only.
DO $$
DECLARE
    one text;
BEGIN
    IF to_regclass('directory.organisations') IS NOT NULL THEN
        FOREACH one IN ARRAY ARRAY['organisations', 'api_keys', 'data_keys'] LOOP
            EXECUTE format('ALTER POLICY organisation ON directory.%I WITH CHECK '
                           '(org_id = current_setting(''hal9.org_id'', true)::uuid AND public.lease_held())', one);
        END LOOP;
    END IF;
END $$;
