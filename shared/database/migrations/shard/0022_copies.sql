-- What takes a copy away names the epoch that it was left in: a copy that arrives in its place meanwhile has another.

DROP FUNCTION tenant_wipe(uuid, integer);
CREATE FUNCTION tenant_wipe(p_org uuid, p_epoch bigint, p_at_most integer) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    relation regclass;
    gone     bigint;
    total    bigint := 0;
    kept     text;
BEGIN
    PERFORM 1 FROM public.tenants WHERE org_id = p_org AND epoch = p_epoch AND state IN ('arriving', 'moved') FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'organisation % has no copy of epoch % here that may be taken away', p_org, p_epoch USING ERRCODE = 'H9002';
    END IF;
    FOR relation IN SELECT public.tenant_tables() LOOP
        BEGIN
            IF (SELECT relkind FROM pg_class WHERE oid = relation) = 'p' THEN
                EXECUTE format('DELETE FROM %s WHERE org_id = $1', relation) USING p_org;
            ELSE
                EXECUTE format('DELETE FROM %1$s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$s WHERE org_id = $1 LIMIT $2))', relation)
                    USING p_org, p_at_most - total;
            END IF;
            GET DIAGNOSTICS gone = ROW_COUNT;
            total := total + gone;
        EXCEPTION WHEN foreign_key_violation THEN
            kept := relation::text;  -- others refer to it: they go first, it goes with the next call
        END;
        EXIT WHEN total >= p_at_most;
    END LOOP;
    IF total = 0 AND kept IS NOT NULL THEN
        RAISE EXCEPTION 'rows of % cannot be taken away: others refer to them', kept USING ERRCODE = 'H9002';
    END IF;
    RETURN total;
END $$;
REVOKE ALL ON FUNCTION tenant_wipe(uuid, bigint, integer) FROM PUBLIC;

-- What works across organisations touches those at home here only: two copies of one must not be forgotten at different moments, as a
-- move compares them, and what was left behind has nothing to be swept.
CREATE FUNCTION tenant_at_home(p_org uuid) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT EXISTS (SELECT 1 FROM public.tenants WHERE org_id = p_org AND state IN ('active', 'draining')) $$;
REVOKE ALL ON FUNCTION tenant_at_home(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_at_home(uuid) TO hal9_definer;

CREATE OR REPLACE FUNCTION dtx_forget(older_than interval, at_most integer) RETURNS integer
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH old AS (
            SELECT ctid FROM public.dtx
            WHERE settled_at < now() - greatest(older_than, interval '1 hour') AND public.tenant_at_home(org_id)
            ORDER BY settled_at LIMIT at_most
        ), gone AS (
            DELETE FROM public.dtx WHERE ctid = ANY (ARRAY(SELECT ctid FROM old)) RETURNING 1
        )
        SELECT count(*)::integer FROM gone
    $$;
REVOKE ALL ON FUNCTION dtx_forget(interval, integer) FROM PUBLIC;
CREATE OR REPLACE FUNCTION usage_unrolled(at_most integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT org_id FROM (SELECT DISTINCT org_id FROM public.usage_records WHERE NOT rolled) AS u
        WHERE public.tenant_at_home(org_id) LIMIT at_most
    $$;
REVOKE ALL ON FUNCTION usage_unrolled(integer) FROM PUBLIC;
CREATE OR REPLACE FUNCTION usage_forget(older_than interval, at_most integer) RETURNS integer
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH old AS (
            SELECT ctid FROM public.usage_records
            WHERE recorded_at < now() - greatest(older_than, interval '35 days') AND rolled AND public.tenant_at_home(org_id)
            ORDER BY recorded_at LIMIT at_most
        ), gone AS (
            DELETE FROM public.usage_records WHERE ctid = ANY (ARRAY(SELECT ctid FROM old)) RETURNING 1
        )
        SELECT count(*)::integer FROM gone
    $$;
REVOKE ALL ON FUNCTION usage_forget(interval, integer) FROM PUBLIC;
