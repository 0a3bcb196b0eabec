-- Old copies that are due, a page after the other: those that cannot be dropped just now must not hide all later ones. `copies_due(integer)` of
-- 0007 stays for processes of the release before.

GRANT CREATE ON SCHEMA directory TO hal9_definer;

CREATE FUNCTION directory.copies_due(at_most integer, after timestamptz, after_move uuid)
    RETURNS TABLE (org_id uuid, move_id uuid, shard smallint, epoch bigint, switched_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT m.org_id, m.move_id, m.source, m.epoch, m.switched_at FROM directory.moves m
        WHERE m.step = 'finished' AND m.dropped_at IS NULL AND m.switched_at < now() - make_interval(secs => m.retain_s)
          AND (after IS NULL OR (m.switched_at, m.move_id) > (after, after_move))
        ORDER BY m.switched_at, m.move_id LIMIT at_most
    $$;
REVOKE ALL ON FUNCTION directory.copies_due(integer, timestamptz, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory.copies_due(integer, timestamptz, uuid) TO hal9_app;
ALTER FUNCTION directory.copies_due(integer, timestamptz, uuid) OWNER TO hal9_definer;

REVOKE CREATE ON SCHEMA directory FROM hal9_definer;
