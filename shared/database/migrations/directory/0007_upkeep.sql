-- What upkeep does by the clock (functions/upkeep): drop the old copies of organisations that moved, let data keys age. It asks across
-- organisations, so each is one function here, bounded from below: a mistaken caller can neither hurry it nor reach what is in use.

GRANT CREATE ON SCHEMA directory TO hal9_definer;

-- Copies that were kept for as long as their move said.
CREATE POLICY cleaning ON directory.moves TO hal9_definer USING (true);
GRANT SELECT, UPDATE (dropped_at) ON directory.moves TO hal9_definer;
CREATE FUNCTION directory.copies_due(at_most integer) RETURNS TABLE (org_id uuid, move_id uuid, shard smallint, epoch bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT m.org_id, m.move_id, m.source, m.epoch FROM directory.moves m
        WHERE m.step = 'finished' AND m.dropped_at IS NULL AND m.switched_at < now() - make_interval(secs => m.retain_s)
        ORDER BY m.switched_at LIMIT at_most
    $$;
REVOKE ALL ON FUNCTION directory.copies_due(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory.copies_due(integer) TO hal9_app;
ALTER FUNCTION directory.copies_due(integer) OWNER TO hal9_definer;

CREATE FUNCTION directory.copy_dropped(p_org uuid, p_move uuid) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        UPDATE directory.moves SET dropped_at = now()
        WHERE org_id = p_org AND move_id = p_move AND step = 'finished' AND dropped_at IS NULL
    $$;
REVOKE ALL ON FUNCTION directory.copy_dropped(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory.copy_dropped(uuid, uuid) TO hal9_app;
ALTER FUNCTION directory.copy_dropped(uuid, uuid) OWNER TO hal9_definer;

-- A key that has aged seals no more: whoever seals next makes a new one. It still opens, until nothing that it sealed can be left.
CREATE POLICY ageing ON directory.data_keys TO hal9_definer USING (true);
GRANT SELECT (org_id, region, key_id, created_at, superseded_at), UPDATE (superseded_at), DELETE ON directory.data_keys TO hal9_definer;
CREATE FUNCTION directory.data_keys_retire(older_than interval, at_most integer) RETURNS integer
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH aged AS (
            SELECT org_id, region, key_id FROM directory.data_keys
            WHERE superseded_at IS NULL AND created_at < now() - greatest(older_than, interval '1 day')
            ORDER BY created_at LIMIT at_most
        ), retired AS (
            UPDATE directory.data_keys k SET superseded_at = now() FROM aged
            WHERE k.org_id = aged.org_id AND k.region = aged.region AND k.key_id = aged.key_id AND k.superseded_at IS NULL RETURNING 1
        )
        SELECT count(*)::integer FROM retired
    $$;
REVOKE ALL ON FUNCTION directory.data_keys_retire(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory.data_keys_retire(interval, integer) TO hal9_app;
ALTER FUNCTION directory.data_keys_retire(interval, integer) OWNER TO hal9_definer;

CREATE FUNCTION directory.data_keys_forget(older_than interval, at_most integer) RETURNS integer
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH old AS (
            SELECT org_id, region, key_id FROM directory.data_keys
            WHERE superseded_at < now() - greatest(older_than, interval '31 days') ORDER BY superseded_at LIMIT at_most
        ), gone AS (
            DELETE FROM directory.data_keys k USING old
            WHERE k.org_id = old.org_id AND k.region = old.region AND k.key_id = old.key_id RETURNING 1
        )
        SELECT count(*)::integer FROM gone
    $$;
REVOKE ALL ON FUNCTION directory.data_keys_forget(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory.data_keys_forget(interval, integer) TO hal9_app;
ALTER FUNCTION directory.data_keys_forget(interval, integer) OWNER TO hal9_definer;

REVOKE CREATE ON SCHEMA directory FROM hal9_definer;
