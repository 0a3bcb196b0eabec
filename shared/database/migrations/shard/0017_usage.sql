-- What organisations use (shared/quotas): one row for each use, sums by hour, and the counters that the hard limits are held by.

-- A use. Its source and id make it the same use however often it is told. `period`: the month (UTC) that it counts in; of a level, such
-- as storage, the first of January 1970. A correction is a use of its own, and may be negative.
CREATE TABLE usage_records (
    org_id      uuid NOT NULL,
    source      text NOT NULL,
    event_id    text NOT NULL,
    meter       text NOT NULL,
    period      date NOT NULL,
    amount      bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    rolled      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (org_id, source, event_id)
);
CREATE INDEX usage_records_unrolled ON usage_records (org_id) WHERE NOT rolled;
CREATE INDEX usage_records_recorded_at ON usage_records (recorded_at);

CREATE TABLE usage_hours (
    org_id uuid NOT NULL,
    meter  text NOT NULL,
    period date NOT NULL,
    hour   timestamptz NOT NULL,
    amount bigint NOT NULL,
    PRIMARY KEY (org_id, meter, period, hour)
);

-- What the hard limits are held by: the sum of a period's uses, and what is reserved for those under way. Money has its own: budgets.
CREATE TABLE usage_counters (
    org_id   uuid NOT NULL,
    meter    text NOT NULL,
    period   date NOT NULL,
    used     bigint NOT NULL DEFAULT 0,
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    PRIMARY KEY (org_id, meter, period)
) WITH (fillfactor = 50);

ALTER TABLE usage_records ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_records FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON usage_records TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
ALTER TABLE usage_hours ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_hours FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON usage_hours TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
ALTER TABLE usage_counters ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_counters FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON usage_counters TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
-- A use is never changed, but for whether it is rolled up.
GRANT SELECT, INSERT, UPDATE (rolled) ON usage_records TO hal9_app;
GRANT SELECT, INSERT, UPDATE (amount) ON usage_hours TO hal9_app;
GRANT SELECT, INSERT, UPDATE (used, reserved) ON usage_counters TO hal9_app;
CREATE POLICY upkeep ON usage_records TO hal9_definer USING (true);
GRANT SELECT, DELETE ON usage_records TO hal9_definer;

-- ------------------------------------------------------------------------------------------------------------------------------
-- Counting

CREATE FUNCTION usage_period(p_monthly boolean) RETURNS date LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_monthly THEN date_trunc('month', now() AT TIME ZONE 'UTC')::date ELSE date '1970-01-01' END
$$;

-- Tell, once for each limit and period, that the level of the warning or the hard limit was reached.
CREATE FUNCTION usage_tell(
    p_org uuid, p_sender text, p_meter text, p_period date, p_before bigint, p_now bigint, p_soft bigint, p_hard bigint
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    it record;
BEGIN
    IF p_now < least(p_soft, p_hard) OR p_now <= p_before THEN
        RETURN;
    END IF;
    FOR it IN
        SELECT what, mark FROM (VALUES ('warned', p_soft), ('reached', p_hard)) AS marks (what, mark)
        WHERE p_before < mark AND mark <= p_now
    LOOP
        INSERT INTO outbox (org_id, id, event_type, event) VALUES (
            p_org, gen_random_uuid(), 'ai.hal9.upkeep.quota.' || it.what,
            convert_to(json_build_object(
                'specversion', '1.0', 'id', format('%s/%s/%s/%s', p_meter, p_period, it.what, it.mark), 'source', p_sender,
                'type', 'ai.hal9.upkeep.quota.' || it.what, 'subject', p_meter,
                'time', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                'datacontenttype', 'application/json', 'orgid', p_org,
                'data', json_build_object('meter', p_meter, 'period', p_period, 'used', p_now, 'soft', p_soft, 'hard', p_hard)
            )::text, 'UTF8'));
    END LOOP;
END $$;

-- Count a use: false when it was counted before. Beyond the hard limit the whole transaction is taken back (H9003). The counter's row is
-- the last one that a transaction locks, so that it is held for the shortest time and two transactions cannot wait for each other.
CREATE FUNCTION usage_take(
    p_org uuid, p_sender text, p_meter text, p_monthly boolean, p_source text, p_id text, p_amount bigint, p_soft bigint, p_hard bigint
) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    its_period date := usage_period(p_monthly);
    total bigint;
BEGIN
    INSERT INTO usage_records (org_id, source, event_id, meter, period, amount)
    VALUES (p_org, p_source, p_id, p_meter, its_period, p_amount) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO usage_counters AS c (org_id, meter, period, used)
    SELECT p_org, p_meter, its_period, p_amount WHERE p_amount <= p_hard
    ON CONFLICT (org_id, meter, period) DO UPDATE SET used = c.used + p_amount
    WHERE c.used + c.reserved + p_amount <= p_hard
    RETURNING used INTO total;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'H9003', MESSAGE = p_meter;
    END IF;
    PERFORM usage_tell(p_org, p_sender, p_meter, its_period, total - p_amount, total, p_soft, p_hard);
    RETURN true;
END $$;

-- The same, for what has happened already: it counts beyond the hard limit too.
CREATE FUNCTION usage_record(
    p_org uuid, p_sender text, p_meter text, p_monthly boolean, p_source text, p_id text, p_amount bigint, p_soft bigint, p_hard bigint
) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    its_period date := usage_period(p_monthly);
    total bigint;
BEGIN
    INSERT INTO usage_records (org_id, source, event_id, meter, period, amount)
    VALUES (p_org, p_source, p_id, p_meter, its_period, p_amount) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO usage_counters AS c (org_id, meter, period, used) VALUES (p_org, p_meter, its_period, p_amount)
    ON CONFLICT (org_id, meter, period) DO UPDATE SET used = c.used + p_amount
    RETURNING used INTO total;
    PERFORM usage_tell(p_org, p_sender, p_meter, its_period, total - p_amount, total, p_soft, p_hard);
    RETURN true;
END $$;

-- Count a use in a statement, and a transaction, of its own.
CREATE FUNCTION usage_take_alone(
    p_org uuid, p_fence bigint, p_sender text, p_meter text, p_monthly boolean, p_source text, p_id text, p_amount bigint, p_soft bigint,
    p_hard bigint
) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM neuron_enter(p_org, p_fence, p_sender, '', '');
    RETURN usage_take(p_org, p_sender, p_meter, p_monthly, p_source, p_id, p_amount, p_soft, p_hard);
END $$;

-- ------------------------------------------------------------------------------------------------------------------------------
-- Reading, rolling up, checking

-- What was used in a month, the present one when null, and the levels. Always a row: one without a meter when nothing was.
CREATE FUNCTION usage_counted(p_org uuid, p_month date) RETURNS TABLE (month date, meter text, used bigint, reserved bigint, cap bigint)
LANGUAGE sql STABLE AS $$
    WITH wanted AS (SELECT coalesce(p_month, usage_period(true)) AS month),
    found AS (
        SELECT c.meter, c.used, c.reserved, NULL::bigint AS cap FROM usage_counters c, wanted
        WHERE c.org_id = p_org AND c.period IN (wanted.month, date '1970-01-01')
        UNION ALL
        SELECT 'cost', b.spent, b.reserved, b.cap FROM budgets b, wanted WHERE b.org_id = p_org AND b.period = wanted.month
    )
    SELECT wanted.month, found.meter, found.used, found.reserved, found.cap FROM wanted LEFT JOIN found ON true
$$;

-- Add to their hours the uses that were not yet; gives how many. Two at once share them: a use is added by one of them.
CREATE FUNCTION usage_roll_up(p_org uuid) RETURNS integer
LANGUAGE sql AS $$
    WITH taken AS (
        UPDATE usage_records SET rolled = true WHERE org_id = p_org AND NOT rolled
        RETURNING meter, period, date_trunc('hour', recorded_at, 'UTC') AS hour, amount
    ), summed AS (
        INSERT INTO usage_hours AS h (org_id, meter, period, hour, amount)
        SELECT p_org, meter, period, hour, sum(amount)::bigint FROM taken GROUP BY meter, period, hour ORDER BY meter, period, hour
        ON CONFLICT (org_id, meter, period, hour) DO UPDATE SET amount = h.amount + excluded.amount
    )
    SELECT count(*)::integer FROM taken
$$;

-- Set the counters of the present periods to what their uses add up to; gives those that were off, and by how much. The counters are
-- locked first: whoever takes meanwhile waits, so its use is either in the sum and the counter, or in neither.
CREATE FUNCTION usage_reconcile(p_org uuid) RETURNS TABLE (meter text, off bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM 1 FROM usage_counters WHERE org_id = p_org AND period IN (usage_period(true), usage_period(false))
    ORDER BY meter FOR NO KEY UPDATE;
    RETURN QUERY
        WITH summed AS (
            SELECT c.meter, c.period, c.used, coalesce((SELECT sum(h.amount) FROM usage_hours h
                WHERE h.org_id = p_org AND h.meter = c.meter AND h.period = c.period), 0)
                + coalesce((SELECT sum(r.amount) FROM usage_records r
                WHERE r.org_id = p_org AND NOT r.rolled AND r.meter = c.meter AND r.period = c.period), 0) AS amount
            FROM usage_counters c WHERE c.org_id = p_org AND c.period IN (usage_period(true), usage_period(false))
        )
        UPDATE usage_counters c SET used = s.amount::bigint FROM summed s
        WHERE c.org_id = p_org AND c.meter = s.meter AND c.period = s.period AND c.used = s.used AND s.used <> s.amount
        RETURNING c.meter, (s.used - s.amount)::bigint;
END $$;

-- Which organisations have uses that are not rolled up: their ids and nothing else. Upkeep then works as each of them.
CREATE FUNCTION usage_unrolled(at_most integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT DISTINCT org_id FROM public.usage_records WHERE NOT rolled LIMIT at_most $$;
REVOKE ALL ON FUNCTION usage_unrolled(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_unrolled(integer) TO hal9_app;
ALTER FUNCTION usage_unrolled(integer) OWNER TO hal9_definer;

-- Takes away uses that are rolled up and so old that they cannot be told again. Bounded from below, as inbox_forget is.
CREATE FUNCTION usage_forget(older_than interval, at_most integer) RETURNS integer
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH old AS (
            SELECT ctid FROM public.usage_records
            WHERE recorded_at < now() - greatest(older_than, interval '35 days') AND rolled ORDER BY recorded_at LIMIT at_most
        ), gone AS (
            DELETE FROM public.usage_records WHERE ctid = ANY (ARRAY(SELECT ctid FROM old)) RETURNING 1
        )
        SELECT count(*)::integer FROM gone
    $$;
REVOKE ALL ON FUNCTION usage_forget(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_forget(interval, integer) TO hal9_app;
ALTER FUNCTION usage_forget(interval, integer) OWNER TO hal9_definer;

-- ------------------------------------------------------------------------------------------------------------------------------
-- Runs and models. What the release before calls is still there: it counts no run and no token.

-- Start a run as before, and count it, unless it is born failed; whoever asked for it may have counted it already.
CREATE FUNCTION neuron_start(
    p_org uuid, p_fence bigint, p_source text, p_trace text, p_cause text,
    p_run uuid, p_origin uuid, p_replay_of uuid, p_process text, p_engine text, p_input json, p_subject text, p_correlation text,
    p_key text, p_hash bytea, p_cost_cap bigint, p_per_step integer, p_per_run integer, p_deadline double precision,
    p_step uuid, p_body text, p_executor text, p_delegated boolean, p_attempts integer, p_step_deadline double precision,
    p_code text, p_reason text, p_soft bigint, p_hard bigint
) RETURNS TABLE (verdict text, run_id uuid)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    started record;
BEGIN
    SELECT * INTO started FROM neuron_start(
        p_org, p_fence, p_source, p_trace, p_cause, p_run, p_origin, p_replay_of, p_process, p_engine, p_input, p_subject, p_correlation,
        p_key, p_hash, p_cost_cap, p_per_step, p_per_run, p_deadline, p_step, p_body, p_executor, p_delegated, p_attempts, p_step_deadline,
        p_code, p_reason);
    IF started.verdict = 'started' AND p_code IS NULL THEN
        PERFORM usage_take(p_org, p_source, 'runs', true, 'neuron', p_run::text, 1, p_soft, p_hard);
    END IF;
    RETURN QUERY SELECT started.verdict, started.run_id;
END $$;

ALTER TABLE reservations ADD COLUMN tokens bigint NOT NULL DEFAULT 0;

-- Note what a call of a model used. `p_part`: which of the call's uses it is.
CREATE FUNCTION usage_note(p_org uuid, p_call uuid, p_part text, p_meter text, p_period date, p_amount bigint) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO usage_records (org_id, source, event_id, meter, period, amount)
    SELECT p_org, 'neuron', format('%s/%s', p_call, p_part), p_meter, p_period, p_amount WHERE p_amount <> 0
    ON CONFLICT DO NOTHING
$$;

-- Count as spent what was held for calls of a step, or of the whole run: nobody is left who could say what they cost.
CREATE OR REPLACE FUNCTION neuron_lapse(p_org uuid, p_run uuid, p_steps uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    held record;
BEGIN
    FOR held IN
        UPDATE reservations SET state = 'lapsed'
        WHERE org_id = p_org AND run_id = p_run AND state = 'held' AND (p_steps IS NULL OR step_id = ANY (p_steps))
        RETURNING id, period, amount, tokens
    LOOP
        UPDATE runs SET reserved = reserved - held.amount, spent = spent + held.amount WHERE org_id = p_org AND id = p_run;
        UPDATE budgets SET reserved = reserved - held.amount, spent = spent + held.amount
        WHERE org_id = p_org AND period = held.period;
        PERFORM usage_note(p_org, held.id, 'cost', 'cost', held.period, held.amount);
        IF held.tokens > 0 THEN
            PERFORM usage_note(p_org, held.id, 'tokens', 'model_tokens', held.period, held.tokens);
            UPDATE usage_counters SET reserved = reserved - held.tokens, used = used + held.tokens
            WHERE org_id = p_org AND meter = 'model_tokens' AND period = held.period;
        END IF;
    END LOOP;
END $$;

-- Hold the most that a call can cost, and the most tokens that it can use. `held`; `run`, `organisation`, `tokens`: that cap does not
-- hold it; `lost`: the step is no longer the caller's.
CREATE FUNCTION neuron_reserve(
    p_org uuid, p_fence bigint, p_run uuid, p_step uuid, p_epoch integer, p_token uuid, p_id uuid, p_amount bigint, p_default_cap bigint,
    p_tokens bigint, p_most_tokens bigint
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    month date := usage_period(true);
    verdict text := neuron_reserve(p_org, p_fence, p_run, p_step, p_epoch, p_token, p_id, p_amount, p_default_cap);
BEGIN
    IF verdict <> 'held' OR p_tokens = 0 THEN
        RETURN verdict;
    END IF;
    UPDATE reservations SET tokens = p_tokens WHERE org_id = p_org AND id = p_id AND tokens = 0;
    IF NOT FOUND THEN
        RETURN 'held';
    END IF;
    INSERT INTO usage_counters AS c (org_id, meter, period, reserved)
    SELECT p_org, 'model_tokens', month, p_tokens WHERE p_tokens <= p_most_tokens
    ON CONFLICT (org_id, meter, period) DO UPDATE SET reserved = c.reserved + p_tokens
    WHERE c.used + c.reserved + p_tokens <= p_most_tokens;
    IF NOT FOUND THEN
        DELETE FROM reservations WHERE org_id = p_org AND id = p_id;
        UPDATE runs SET reserved = reserved - p_amount WHERE org_id = p_org AND id = p_run;
        UPDATE budgets SET reserved = reserved - p_amount WHERE org_id = p_org AND period = month;
        RETURN 'tokens';
    END IF;
    RETURN 'held';
END $$;

-- Say what a call cost and used, and keep its answer: whatever became of the run meanwhile, the money is gone. What has lapsed was
-- counted in full, and is corrected.
CREATE FUNCTION neuron_settle(
    p_org uuid, p_fence bigint, p_source text, p_run uuid, p_step uuid, p_id uuid, p_cost bigint, p_path text, p_key bytea, p_model text,
    p_answer text, p_tokens bigint, p_tokens_soft bigint, p_tokens_hard bigint, p_cost_soft bigint, p_cost_hard bigint
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    held record;
    cost_more bigint;
    tokens_more bigint;
    total bigint;
    own_cap bigint;
BEGIN
    PERFORM neuron_enter(p_org, p_fence, p_source, '', '');
    PERFORM 1 FROM runs WHERE org_id = p_org AND id = p_run FOR NO KEY UPDATE;
    SELECT period, amount, tokens, state INTO held FROM reservations WHERE org_id = p_org AND id = p_id;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    cost_more := p_cost - CASE held.state WHEN 'held' THEN 0 ELSE held.amount END;
    tokens_more := p_tokens - CASE held.state WHEN 'held' THEN 0 ELSE held.tokens END;
    PERFORM neuron_settle(p_org, p_fence, p_run, p_step, p_id, p_cost, p_path, p_key, p_model, p_answer);
    SELECT spent, cap INTO total, own_cap FROM budgets WHERE org_id = p_org AND period = held.period;
    PERFORM usage_note(p_org, p_id, CASE held.state WHEN 'held' THEN 'cost' ELSE 'cost/settled' END, 'cost', held.period,
                       cost_more);
    PERFORM usage_tell(p_org, p_source, 'cost', held.period, total - cost_more, total,
                       coalesce((own_cap * 80 + 99) / 100, p_cost_soft), coalesce(own_cap, p_cost_hard));
    IF held.tokens > 0 THEN
        PERFORM usage_note(p_org, p_id, CASE held.state WHEN 'held' THEN 'tokens' ELSE 'tokens/settled' END, 'model_tokens', held.period,
                           tokens_more);
        UPDATE usage_counters SET
            reserved = reserved - CASE held.state WHEN 'held' THEN held.tokens ELSE 0 END,
            used = used + tokens_more
        WHERE org_id = p_org AND meter = 'model_tokens' AND period = held.period RETURNING used INTO total;
        PERFORM usage_tell(p_org, p_source, 'model_tokens', held.period, total - tokens_more, total, p_tokens_soft, p_tokens_hard);
    END IF;
END $$;
