-- What stands on a shard of an organisation that moves (shared/placement). Its row in `tenants` decides where its home is, as every
-- writer locks that row: 'arriving' here is a copy that nobody uses yet, 'draining' lets nobody write for a moment, 'moved' says where to.

ALTER TABLE tenants ADD COLUMN move_id uuid;           -- the move that may fence it; another one cannot
ALTER TABLE tenants ADD COLUMN fence_id uuid;          -- the attempt that fenced it: an earlier one cannot close it
ALTER TABLE tenants ADD COLUMN fenced_at timestamptz;
ALTER TABLE tenants ADD COLUMN moved_to smallint;      -- a forwarding address, for as long as the directory may not know
ALTER TABLE tenants DROP CONSTRAINT tenants_state_check;
ALTER TABLE tenants ADD CONSTRAINT tenants_state_check CHECK (state IN ('arriving', 'active', 'draining', 'moved')) NOT VALID;
COMMENT ON TABLE tenants IS 'The organisations of this shard. hal9: stays';

-- A row that a move writes on the old shard and waits for on the new one: what was written before it has arrived, too.
CREATE TABLE move_markers (
    org_id uuid NOT NULL,
    id     uuid NOT NULL,
    PRIMARY KEY (org_id, id)
);
ALTER TABLE move_markers ENABLE ROW LEVEL SECURITY;
ALTER TABLE move_markers FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON move_markers TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);

-- An organisation's tables: whatever has its org_id, but for what says of itself `hal9: stays` in its comment. So a table that a later
-- migration brings moves without anybody remembering it.
CREATE FUNCTION tenant_tables() RETURNS SETOF regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT c.oid::regclass
          FROM pg_class c
          JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
           AND n.nspname NOT IN ('directory', 'migrations', 'information_schema') AND n.nspname !~ '^pg_'
           AND coalesce(obj_description(c.oid, 'pg_class'), '') NOT LIKE '%hal9: stays%'
         ORDER BY n.nspname, c.relname
    $$;
REVOKE ALL ON FUNCTION tenant_tables() FROM PUBLIC;

-- Takes away an organisation's copy, at most so many rows at a time: one that never became its home, or one that it has left. Its home
-- is never touched, as the state is read under the lock that a move changes it with. Gives how many rows went; 0: nothing is left.
CREATE FUNCTION tenant_wipe(p_org uuid, p_at_most integer) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    relation regclass;
    gone     bigint;
    total    bigint := 0;
    kept     text;
BEGIN
    PERFORM 1 FROM public.tenants WHERE org_id = p_org AND state IN ('arriving', 'moved') FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'organisation % has no copy here that may be taken away', p_org USING ERRCODE = 'H9002';
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
REVOKE ALL ON FUNCTION tenant_wipe(uuid, integer) FROM PUBLIC;

-- Who waits at a fence lifts it when whoever set it is gone. Should that one come back, it finds its fence no more, and cannot close it.
CREATE POLICY moves ON tenants TO hal9_definer USING (true) WITH CHECK (state = 'active');
GRANT SELECT, UPDATE (state, fence_id, fenced_at) ON tenants TO hal9_definer;
CREATE FUNCTION tenant_reopen(p_org uuid, p_epoch bigint) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH reopened AS (
            UPDATE public.tenants SET state = 'active', fence_id = NULL, fenced_at = NULL
            WHERE org_id = p_org AND org_id = current_setting('hal9.org_id', true)::uuid AND epoch = p_epoch AND state = 'draining'
              AND fenced_at < clock_timestamp() - interval '1500 milliseconds'
            RETURNING 1
        )
        SELECT count(*) > 0 FROM reopened
    $$;
REVOKE ALL ON FUNCTION tenant_reopen(uuid, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_reopen(uuid, bigint) TO hal9_app;
ALTER FUNCTION tenant_reopen(uuid, bigint) OWNER TO hal9_definer;

-- Sweeps across organisations see those that are at home here, and neither copies that arrive nor those that were left behind.
CREATE OR REPLACE FUNCTION outbox_leftovers(older_than interval, at_most integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT o.org_id FROM public.outbox o
        WHERE o.recorded_at < clock_timestamp() - older_than AND (o.claimed_until IS NULL OR o.claimed_until < clock_timestamp())
          AND EXISTS (SELECT 1 FROM public.tenants t WHERE t.org_id = o.org_id AND t.state IN ('active', 'draining'))
        GROUP BY o.org_id ORDER BY min(o.recorded_at) LIMIT at_most
    $$;
CREATE OR REPLACE FUNCTION inbox_forget(older_than interval, at_most integer) RETURNS integer
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH old AS (
            SELECT i.ctid FROM public.inbox i
            WHERE i.received_at < now() - greatest(older_than, interval '1 day')
              AND EXISTS (SELECT 1 FROM public.tenants t WHERE t.org_id = i.org_id AND t.state = 'active')
            ORDER BY i.received_at LIMIT at_most
        ), gone AS (
            DELETE FROM public.inbox WHERE ctid = ANY (ARRAY(SELECT ctid FROM old)) RETURNING 1
        )
        SELECT count(*)::integer FROM gone
    $$;
CREATE OR REPLACE FUNCTION neuron_due(p_at timestamptz, p_limit integer)
RETURNS TABLE (org_id uuid, run_id uuid, step_id uuid, epoch integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    (SELECT r.org_id, r.id, NULL::uuid, NULL::integer FROM runs r WHERE r.state = 'running' AND r.deadline_at <= p_at
        AND EXISTS (SELECT 1 FROM tenants t WHERE t.org_id = r.org_id AND t.state IN ('active', 'draining'))
     ORDER BY r.deadline_at LIMIT p_limit)
    UNION ALL
    (SELECT s.org_id, s.run_id, s.id, s.epoch FROM steps s WHERE s.due_at <= p_at
        AND EXISTS (SELECT 1 FROM tenants t WHERE t.org_id = s.org_id AND t.state IN ('active', 'draining'))
     ORDER BY s.due_at LIMIT p_limit)
$$;

REVOKE ALL ON FUNCTION outbox_leftovers(interval, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION inbox_forget(interval, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION neuron_due(timestamptz, integer) FROM PUBLIC;

-- Readers look at the epoch, too: a place that was left stands still, and whoever followed a run there would see nothing new.
CREATE FUNCTION neuron_visit(p_org uuid, p_fence bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('hal9.org_id', p_org::text, true);
    PERFORM 1 FROM tenants WHERE org_id = p_org AND epoch = p_fence AND state <> 'moved';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the organisation has moved' USING ERRCODE = 'H9001';
    END IF;
END $$;
CREATE OR REPLACE FUNCTION neuron_events(p_org uuid, p_fence bigint, p_run uuid, p_after bigint, p_limit integer)
RETURNS TABLE (sequence bigint, type text, step_id uuid, path text, body text, data text, at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM neuron_visit(p_org, p_fence);
    RETURN QUERY SELECT sequence, type, step_id, path, body, data::text, at FROM run_events
                 WHERE org_id = p_org AND run_id = p_run AND sequence > p_after ORDER BY sequence LIMIT p_limit;
END $$;
CREATE OR REPLACE FUNCTION neuron_recall(p_org uuid, p_fence bigint, p_key bytea) RETURNS TABLE (answer text, model text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM neuron_visit(p_org, p_fence);
    RETURN QUERY SELECT answer, model FROM journal WHERE org_id = p_org AND key = p_key;
END $$;
CREATE OR REPLACE FUNCTION neuron_delegated(p_org uuid, p_fence bigint, p_run uuid, p_step uuid, p_epoch integer)
RETURNS TABLE (process text, origin_id uuid, body text, path text, generation integer, revision integer, input text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM neuron_visit(p_org, p_fence);
    RETURN QUERY SELECT r.process, r.origin_id, s.body, s.path, s.generation, s.revision, s.input::text
                 FROM steps s JOIN runs r ON r.org_id = s.org_id AND r.id = s.run_id
                 WHERE s.org_id = p_org AND s.run_id = p_run AND s.id = p_step AND s.epoch = p_epoch AND s.state = 'delegated'
                   AND r.state = 'running';
END $$;
