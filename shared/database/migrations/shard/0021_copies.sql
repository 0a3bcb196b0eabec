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
