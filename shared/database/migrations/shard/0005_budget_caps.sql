-- A budget's cap is NULL where the organisation has none of its own: then the setting of the day is in force, not that of the day when
-- the month's first call was made. Until now nothing could give an organisation a cap of its own.

ALTER TABLE budgets ALTER COLUMN cap DROP NOT NULL;
-- hal9: allow backfill: one row for each organisation and month
UPDATE budgets SET cap = NULL;

-- Hold the most that a call can cost, under the caps of the run and of the organisation. `held`; `run`, `organisation`: that cap does not
-- hold it; `lost`: the step is no longer the caller's.
CREATE OR REPLACE FUNCTION neuron_reserve(
    p_org uuid, p_fence bigint, p_run uuid, p_step uuid, p_epoch integer, p_token uuid, p_id uuid, p_amount bigint, p_default_cap bigint
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    s steps;
    month date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
BEGIN
    PERFORM neuron_enter(p_org, p_fence, '', '', '');
    s := neuron_hold(p_org, p_run, p_step, p_epoch, p_token);
    IF s.id IS NULL THEN
        RETURN 'lost';
    END IF;
    IF EXISTS (SELECT FROM reservations WHERE org_id = p_org AND id = p_id) THEN
        RETURN 'held';
    END IF;
    INSERT INTO budgets (org_id, period, cap) VALUES (p_org, month, NULL) ON CONFLICT DO NOTHING;
    UPDATE runs SET reserved = reserved + p_amount WHERE org_id = p_org AND id = p_run AND spent + reserved + p_amount <= cost_cap;
    IF NOT FOUND THEN
        RETURN 'run';
    END IF;
    UPDATE budgets SET reserved = reserved + p_amount
    WHERE org_id = p_org AND period = month AND spent + reserved + p_amount <= coalesce(cap, p_default_cap);
    IF NOT FOUND THEN
        UPDATE runs SET reserved = reserved - p_amount WHERE org_id = p_org AND id = p_run;
        RETURN 'organisation';
    END IF;
    INSERT INTO reservations (org_id, id, run_id, step_id, period, amount) VALUES (p_org, p_id, p_run, p_step, month, p_amount);
    RETURN 'held';
END $$;
