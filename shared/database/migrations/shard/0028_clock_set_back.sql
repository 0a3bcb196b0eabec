-- A database's clock that went ahead and is set back leaves moments behind that lie in its future, and what waits for them would stand
-- still until it has caught up. What lies further ahead than the longest that can be given counts as due: nothing but such a clock
-- writes it. Deadlines that somebody named, of runs and of delegated steps, may lie as far ahead as they like, and stay.
--
-- What looks for such moments compares with statement_timestamp(), as no index is of use for what is compared with the volatile
-- clock_timestamp(): the sweeps ask in statements of their own.

-- A row is of the past, but for one that is to be sent later; that one, and a claim, end within ten minutes (events/outbox.py:
-- LONGEST_SECONDS).
CREATE OR REPLACE FUNCTION outbox_leftovers(older_than interval, at_most integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT o.org_id FROM public.outbox o
        WHERE (o.recorded_at < statement_timestamp() - older_than OR o.recorded_at > statement_timestamp() + older_than)
          AND (o.claimed_until IS NULL OR o.claimed_until < statement_timestamp()
               OR o.claimed_until > statement_timestamp() + interval '10 minutes')
          AND EXISTS (SELECT 1 FROM public.tenants t WHERE t.org_id = o.org_id AND t.state IN ('active', 'draining'))
        GROUP BY o.org_id ORDER BY min(o.recorded_at) LIMIT at_most
    $$;
REVOKE ALL ON FUNCTION outbox_leftovers(interval, integer) FROM PUBLIC;

-- The furthest that a step's reminder or lease (functions/neuron/settings.py: HAL9_NEURON_LEASE_SECONDS) can be ahead.
CREATE FUNCTION neuron_furthest() RETURNS interval LANGUAGE sql IMMUTABLE AS $$ SELECT interval '5 minutes' $$;

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
    UNION ALL
    (SELECT s.org_id, s.run_id, s.id, s.epoch FROM steps s
     WHERE s.due_at > greatest(p_at, statement_timestamp()) + neuron_furthest() AND s.state IN ('requested', 'running')
        AND EXISTS (SELECT 1 FROM tenants t WHERE t.org_id = s.org_id AND t.state IN ('active', 'draining'))
     ORDER BY s.due_at LIMIT p_limit)
$$;
REVOKE ALL ON FUNCTION neuron_due(timestamptz, integer) FROM PUBLIC;

-- A lease that is too far ahead is cut short and not taken away: whoever holds it may be at work, and renews it before it ends; who does
-- not is dead, and the step is taken then. What was paid for is not paid for twice because of a clock. (5 minutes / 3 < 2 minutes.)
CREATE OR REPLACE FUNCTION neuron_expire(
    p_org uuid, p_fence bigint, p_source text, p_trace text, p_cause text, p_run uuid, p_step uuid, p_epoch integer, p_at timestamptz
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    s steps;
BEGIN
    PERFORM neuron_enter(p_org, p_fence, p_source, p_trace, p_cause);
    PERFORM 1 FROM runs WHERE org_id = p_org AND id = p_run AND state = 'running' FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'stale';
    END IF;
    SELECT * INTO s FROM steps
    WHERE org_id = p_org AND run_id = p_run AND id = p_step AND epoch = p_epoch
      AND (due_at <= p_at
           OR state IN ('requested', 'running') AND due_at > greatest(p_at, clock_timestamp()) + neuron_furthest())
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'stale';
    END IF;
    IF s.state = 'requested' THEN
        UPDATE steps SET due_at = clock_timestamp() + neuron_reminder() WHERE org_id = p_org AND run_id = p_run AND id = p_step;
        PERFORM neuron_request(s);
        RETURN 'reminded';
    END IF;
    IF s.due_at > p_at THEN
        UPDATE steps SET due_at = clock_timestamp() + neuron_reminder() WHERE org_id = p_org AND run_id = p_run AND id = p_step;
        RETURN 'shortened';
    END IF;
    PERFORM neuron_lapse(p_org, p_run, ARRAY[p_step]);
    IF s.attempts + (CASE s.state WHEN 'delegated' THEN 1 ELSE 0 END) >= s.max_attempts THEN
        UPDATE steps SET state = 'failed', failure = format('given up after %s attempts', s.max_attempts), finished_at = clock_timestamp(),
                         due_at = NULL, lease_token = NULL
        WHERE org_id = p_org AND run_id = p_run AND id = p_step;
        PERFORM neuron_failed(s, 'attempts-exhausted', format('given up after %s attempts', s.max_attempts), NULL);
        RETURN 'failed';
    END IF;
    UPDATE steps SET
        epoch = epoch + 1, lease_token = NULL,
        state = CASE s.state WHEN 'delegated' THEN 'delegated' ELSE 'requested' END,
        attempts = attempts + CASE s.state WHEN 'delegated' THEN 1 ELSE 0 END,
        due_at = clock_timestamp() + CASE s.state WHEN 'delegated' THEN make_interval(secs => deadline_seconds) ELSE neuron_reminder() END
    WHERE org_id = p_org AND run_id = p_run AND id = p_step RETURNING * INTO s;
    PERFORM neuron_tell(p_org, p_run, 'step.retried', s.id, s.path, s.body, json_build_object('epoch', s.epoch, 'attempts', s.attempts));
    PERFORM neuron_request(s);
    RETURN 'retried';
END $$;

-- A fence of a mover that is gone. One too many that is lifted costs its mover another attempt, and nothing else.
CREATE OR REPLACE FUNCTION tenant_reopen(p_org uuid, p_epoch bigint) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH reopened AS (
            UPDATE public.tenants SET state = 'active', fence_id = NULL, fenced_at = NULL
            WHERE org_id = p_org AND org_id = current_setting('hal9.org_id', true)::uuid AND epoch = p_epoch AND state = 'draining'
              AND (fenced_at < clock_timestamp() - interval '1500 milliseconds'
                   OR fenced_at > clock_timestamp() + interval '1500 milliseconds')
            RETURNING 1
        )
        SELECT count(*) > 0 FROM reopened
    $$;
REVOKE ALL ON FUNCTION tenant_reopen(uuid, bigint) FROM PUBLIC;

-- Decisions: their age only tells those that are just being carried out, which are left alone.
CREATE OR REPLACE FUNCTION dtx_unsettled(older_than interval, at_most integer) RETURNS TABLE (org_id uuid, dtx_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT d.org_id, d.dtx_id FROM public.dtx d
        WHERE d.settled_at IS NULL
          AND (d.decided_at < statement_timestamp() - older_than OR d.decided_at > statement_timestamp() + older_than)
        ORDER BY d.decided_at LIMIT at_most
    $$;
REVOKE ALL ON FUNCTION dtx_unsettled(interval, integer) FROM PUBLIC;
