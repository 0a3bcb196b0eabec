-- Which organisations have steps that wait for a deployment, and of each the step that waits longest (functions/neuron/turns.py): what
-- a neuron needs to claim it, and nothing of what is in it. The index is walked from one organisation to the next (a loose index scan),
-- from p_from on and then from the first one, so that with more of them than p_at_most each has its chance.
GRANT SELECT (state, executor, phase, body, path) ON steps TO hal9_definer;
CREATE FUNCTION neuron_waiting(p_executor text, p_from uuid, p_at_most integer)
RETURNS TABLE (org_id uuid, run_id uuid, step_id uuid, epoch integer, phase integer, body text, path text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH RECURSIVE behind (org_id, number) AS (
        (SELECT s.org_id, 1 FROM steps s
         WHERE s.state = 'requested' AND s.executor = p_executor AND s.org_id >= p_from AND s.due_at IS NOT NULL
         ORDER BY s.org_id LIMIT 1)
        UNION ALL
        SELECT (SELECT s.org_id FROM steps s
                WHERE s.state = 'requested' AND s.executor = p_executor AND s.org_id > w.org_id AND s.due_at IS NOT NULL
                ORDER BY s.org_id LIMIT 1), w.number + 1
        FROM behind w WHERE w.org_id IS NOT NULL AND w.number < p_at_most
    ), ahead (org_id, number) AS (
        (SELECT s.org_id, 1 FROM steps s
         WHERE s.state = 'requested' AND s.executor = p_executor AND s.org_id < p_from AND s.due_at IS NOT NULL
         ORDER BY s.org_id LIMIT 1)
        UNION ALL
        SELECT (SELECT s.org_id FROM steps s
                WHERE s.state = 'requested' AND s.executor = p_executor AND s.org_id > w.org_id AND s.org_id < p_from
                  AND s.due_at IS NOT NULL
                ORDER BY s.org_id LIMIT 1), w.number + 1
        FROM ahead w WHERE w.org_id IS NOT NULL AND w.number < p_at_most
    ), found AS (
        SELECT w.org_id FROM behind w WHERE w.org_id IS NOT NULL
        UNION ALL
        SELECT w.org_id FROM ahead w WHERE w.org_id IS NOT NULL
        LIMIT p_at_most
    )
    SELECT first.* FROM found f, LATERAL (
        SELECT s.org_id, s.run_id, s.id, s.epoch, s.phase, s.body, s.path FROM steps s
        WHERE s.state = 'requested' AND s.executor = p_executor AND s.org_id = f.org_id AND s.due_at IS NOT NULL
        ORDER BY s.due_at LIMIT 1
    ) AS first
$$;
ALTER FUNCTION neuron_waiting(text, uuid, integer) OWNER TO hal9_definer;
REVOKE ALL ON FUNCTION neuron_waiting(text, uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION neuron_waiting(text, uuid, integer) TO hal9_app;
