-- Decisions of transactions over several organisations (shared/transactions): a row says that the transaction is to commit everywhere.
-- It is of the organisation that is its home, and moves with it. No row, and nobody who could still write it: it is to be rolled back.

CREATE TABLE dtx (
    org_id       uuid NOT NULL,
    dtx_id       uuid NOT NULL,
    participants uuid[] NOT NULL,  -- the other organisations, each with a branch that was prepared before this row was
    decided_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at   timestamptz,  -- when a sweep saw that none of its branches was left
    PRIMARY KEY (org_id, dtx_id)
);
CREATE INDEX dtx_unsettled_by_age ON dtx (decided_at) WHERE settled_at IS NULL;
CREATE INDEX dtx_settled_by_age ON dtx (settled_at) WHERE settled_at IS NOT NULL;
ALTER TABLE dtx ENABLE ROW LEVEL SECURITY;
ALTER TABLE dtx FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON dtx TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
CREATE POLICY settling ON dtx FOR SELECT TO hal9_definer USING (true);
CREATE POLICY forgetting ON dtx FOR DELETE TO hal9_definer USING (settled_at IS NOT NULL);
-- No DELETE: a decision that a branch still waits for must never be missing.
GRANT SELECT, INSERT, UPDATE (settled_at) ON dtx TO hal9_app;
GRANT SELECT, DELETE ON dtx TO hal9_definer;

-- The sweep asks for decisions that it has to see to: ids and nothing else. It then works as each of the organisations.
CREATE FUNCTION dtx_unsettled(older_than interval, at_most integer) RETURNS TABLE (org_id uuid, dtx_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT d.org_id, d.dtx_id FROM public.dtx d
        WHERE d.settled_at IS NULL AND d.decided_at < clock_timestamp() - older_than ORDER BY d.decided_at LIMIT at_most
    $$;
REVOKE ALL ON FUNCTION dtx_unsettled(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dtx_unsettled(interval, integer) TO hal9_app;
ALTER FUNCTION dtx_unsettled(interval, integer) OWNER TO hal9_definer;

-- Takes away what was settled long ago. Bounded from below: a mistaken caller cannot make a branch lose its decision.
CREATE FUNCTION dtx_forget(older_than interval, at_most integer) RETURNS integer
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH old AS (
            SELECT ctid FROM public.dtx
            WHERE settled_at < now() - greatest(older_than, interval '1 hour') ORDER BY settled_at LIMIT at_most
        ), gone AS (
            DELETE FROM public.dtx WHERE ctid = ANY (ARRAY(SELECT ctid FROM old)) RETURNING 1
        )
        SELECT count(*)::integer FROM gone
    $$;
REVOKE ALL ON FUNCTION dtx_forget(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dtx_forget(interval, integer) TO hal9_app;
ALTER FUNCTION dtx_forget(interval, integer) OWNER TO hal9_definer;
