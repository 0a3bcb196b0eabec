-- Runs of neurons: a run is a tree of steps. Every transition of a step is one function below, so that it is one round trip and one
-- transaction: a statement of its own, which enters the organisation (row-level security, epoch fence) by itself.
--
-- Order of locks in every transition: the run's row first, then steps, then the organisation's budget. So transitions of one run
-- are serial, no two of them can deadlock, and the sequence of a run's events has no gaps that a reader could overtake.

CREATE TABLE runs (
    org_id             uuid NOT NULL,
    id                 uuid NOT NULL,
    origin_id          uuid NOT NULL,  -- whose journal it reads and writes: itself, or what it replays
    replay_of          uuid,
    process            text NOT NULL,
    engine             text CHECK (engine IN ('builtin', 'model')),  -- what the caller allows; null: as configured
    state              text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'completed', 'failed', 'cancelled')),
    input              json NOT NULL,
    output             json,
    code               text,
    reason             text,
    made_by            text,
    subject            text NOT NULL,
    correlation_id     text,
    idempotency_key    text,
    request_hash       bytea,
    cost_cap           bigint NOT NULL CHECK (cost_cap >= 0),
    spent              bigint NOT NULL DEFAULT 0,
    reserved           bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    revisions_per_step integer NOT NULL,
    revisions_per_run  integer NOT NULL,
    revisions          integer NOT NULL DEFAULT 0,
    steps              integer NOT NULL DEFAULT 0,
    sequence           bigint NOT NULL DEFAULT 0,
    created_at         timestamptz NOT NULL DEFAULT now(),
    deadline_at        timestamptz NOT NULL,
    finished_at        timestamptz,
    PRIMARY KEY (org_id, id)
) WITH (fillfactor = 60);
CREATE UNIQUE INDEX runs_idempotency ON runs (org_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX runs_deadline ON runs (deadline_at) WHERE state = 'running';

CREATE TABLE steps (
    org_id           uuid NOT NULL,
    run_id           uuid NOT NULL,
    id               uuid NOT NULL,
    parent_id        uuid,
    path             text NOT NULL,
    key              text NOT NULL,
    body             text NOT NULL,
    executor         text NOT NULL,
    delegated        boolean NOT NULL DEFAULT false,
    optional         boolean NOT NULL DEFAULT false,
    depth            smallint NOT NULL,
    joined_phase     integer NOT NULL DEFAULT 0,  -- the phase of the parent that spawned it
    generation       integer NOT NULL DEFAULT 0,  -- how many steps had this path before it
    max_attempts     integer NOT NULL,
    deadline_seconds double precision NOT NULL,
    state            text NOT NULL CHECK (state IN ('requested', 'running', 'waiting', 'delegated', 'completed', 'failed',
                                                    'cancelled', 'superseded')),
    epoch            integer NOT NULL DEFAULT 0,  -- one more with every new try; what belongs to an earlier one is dropped
    revision         integer NOT NULL DEFAULT 0,  -- one more each time that backward signals send it back
    phase            integer NOT NULL DEFAULT 0,
    pending          integer NOT NULL DEFAULT 0 CHECK (pending >= 0),
    attempts         integer NOT NULL DEFAULT 0,
    lease_token      uuid,
    due_at           timestamptz,  -- by when somebody must have moved it on: the lease, the delegated deadline, the next reminder
    input            json NOT NULL,
    memos            json[] NOT NULL DEFAULT '{}',  -- memos[p + 1] is what phase p left for phase p + 1
    output           json,
    engine           text,
    note             text,
    exhausted        boolean NOT NULL DEFAULT false,
    leftover         json,  -- signals that the caps on revisions kept from being acted on
    failure          text,
    cost             bigint NOT NULL DEFAULT 0,
    created_at       timestamptz NOT NULL DEFAULT now(),
    started_at       timestamptz,
    finished_at      timestamptz,
    PRIMARY KEY (org_id, run_id, id)
) WITH (fillfactor = 60);
CREATE INDEX steps_due ON steps (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE signals (
    org_id        uuid NOT NULL,
    run_id        uuid NOT NULL,
    id            uuid NOT NULL,
    step_id       uuid NOT NULL,
    blame_step    text NOT NULL,
    from_step     text NOT NULL,
    contract_path text NOT NULL,
    diagnostic    text NOT NULL,
    severity      text NOT NULL CHECK (severity IN ('error', 'warning')),
    hint          text NOT NULL,
    revision      integer NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, run_id, id)
);

-- What calls of models and delegated steps answered: read by a retry of the same step and by replays.
CREATE TABLE journal (
    org_id     uuid NOT NULL,
    key        bytea NOT NULL,
    run_id     uuid NOT NULL,
    path       text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('model', 'delegated')),
    model      text NOT NULL DEFAULT '',
    answer     text NOT NULL,
    cost       bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, key)
);

-- What an organisation may spend in a month (UTC).
CREATE TABLE budgets (
    org_id   uuid NOT NULL,
    period   date NOT NULL,
    cap      bigint NOT NULL CHECK (cap >= 0),
    spent    bigint NOT NULL DEFAULT 0,
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    PRIMARY KEY (org_id, period)
) WITH (fillfactor = 50);

-- Money held for a call under way. `lapsed`: whoever made the call is gone, so it counts as spent in full, until the caller says otherwise.
CREATE TABLE reservations (
    org_id     uuid NOT NULL,
    id         uuid NOT NULL,
    run_id     uuid NOT NULL,
    step_id    uuid NOT NULL,
    period     date NOT NULL,
    amount     bigint NOT NULL CHECK (amount >= 0),
    state      text NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'lapsed')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, id)
);
CREATE INDEX reservations_run ON reservations (org_id, run_id);

-- The live stream of a run: SSE reads it by sequence.
CREATE TABLE run_events (
    org_id   uuid NOT NULL,
    run_id   uuid NOT NULL,
    sequence bigint NOT NULL,
    type     text NOT NULL,
    step_id  uuid,
    path     text,
    body     text,
    data     json,
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, run_id, sequence)
);

ALTER TABLE runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE runs FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON runs TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
ALTER TABLE steps ENABLE ROW LEVEL SECURITY;
ALTER TABLE steps FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON steps TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
ALTER TABLE signals ENABLE ROW LEVEL SECURITY;
ALTER TABLE signals FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON signals TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
ALTER TABLE journal ENABLE ROW LEVEL SECURITY;
ALTER TABLE journal FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON journal TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
ALTER TABLE budgets ENABLE ROW LEVEL SECURITY;
ALTER TABLE budgets FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON budgets TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
ALTER TABLE reservations ENABLE ROW LEVEL SECURITY;
ALTER TABLE reservations FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON reservations TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
ALTER TABLE run_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE run_events FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON run_events TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
GRANT SELECT, INSERT ON runs, steps, signals, journal, budgets, reservations, run_events TO hal9_app;
GRANT UPDATE ON runs, steps, budgets, reservations TO hal9_app;
GRANT DELETE ON reservations TO hal9_app;

-- ------------------------------------------------------------------------------------------------------------------------------
-- Entering, telling, sending

-- Begin a statement of one organisation: row-level security, the epoch fence (see 0001), and what its events say of where they come from.
CREATE FUNCTION neuron_enter(p_org uuid, p_fence bigint, p_source text, p_trace text, p_cause text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('hal9.org_id', p_org::text, true), set_config('hal9.source', p_source, true),
            set_config('hal9.trace', p_trace, true), set_config('hal9.cause', p_cause, true);
    PERFORM 1 FROM tenants WHERE org_id = p_org AND epoch = p_fence AND state = 'active' FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the organisation moves or has moved' USING ERRCODE = 'H9001';
    END IF;
END $$;

-- Add a line to the run's live stream. Its caller holds the run's row.
CREATE FUNCTION neuron_tell(p_org uuid, p_run uuid, p_type text, p_step uuid, p_path text, p_body text, p_data json) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    next bigint;
BEGIN
    UPDATE runs SET sequence = sequence + 1 WHERE org_id = p_org AND id = p_run RETURNING sequence INTO next;
    INSERT INTO run_events (org_id, run_id, sequence, type, step_id, path, body, data)
    VALUES (p_org, p_run, next, p_type, p_step, p_path, p_body, p_data);
END $$;

-- Write an event into the outbox: the envelope's absent attributes are left out, the data stays as it is.
CREATE FUNCTION neuron_emit(
    p_org uuid, p_id text, p_type text, p_subject text, p_correlation text, p_executor text, p_data json
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (org_id, id, event_type, event) VALUES (p_org, gen_random_uuid(), p_type, convert_to(
        '{"specversion":"1.0","id":' || to_json(p_id) || ',"source":' || to_json(current_setting('hal9.source'))
        || ',"type":' || to_json(p_type) || ',"subject":' || to_json(p_subject)
        || ',"time":"' || to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        || '","datacontenttype":"application/json","orgid":"' || p_org || '"'
        || coalesce(',"executor":' || to_json(p_executor), '') || coalesce(',"correlationid":' || to_json(p_correlation), '')
        || coalesce(',"causationid":' || to_json(nullif(current_setting('hal9.cause'), '')), '')
        || coalesce(',"traceparent":' || to_json(nullif(current_setting('hal9.trace'), '')), '')
        || ',"data":' || p_data || '}', 'UTF8'));
END $$;

-- Note an event as taken by this function; false: it was taken before. What no event asked for is always first.
CREATE FUNCTION neuron_first(p_org uuid, p_source text, p_id text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF p_id IS NULL THEN
        RETURN true;
    END IF;
    INSERT INTO inbox (org_id, consumer, source, event_id) VALUES (p_org, 'neuron', p_source, p_id) ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;

-- Why a step is not the caller's: `lost` when it waits to be claimed again in the same epoch, otherwise `stale`.
CREATE FUNCTION neuron_why_not(p_org uuid, p_run uuid, p_step uuid, p_epoch integer) RETURNS text
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT CASE WHEN EXISTS (SELECT FROM steps WHERE org_id = p_org AND run_id = p_run AND id = p_step AND epoch = p_epoch
                                                 AND state = 'requested') THEN 'lost' ELSE 'stale' END
$$;

-- Ask for a step: its executor gets `step.requested`. The id is deterministic: asked for twice, it is the same event. A replay asks the
-- neuron itself for a delegated step first, as the journal may know the answer.
CREATE FUNCTION neuron_request(s steps) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    outside boolean := s.state = 'delegated';
BEGIN
    PERFORM neuron_emit(
        s.org_id,
        format('%s/%s/%s/%s/%s', s.run_id, s.id, s.epoch, s.phase, CASE WHEN outside THEN 'delegated' ELSE 'requested' END),
        'ai.hal9.neuron.step.requested', s.id::text, s.run_id::text,
        CASE WHEN s.delegated AND NOT outside THEN 'neuron-l4' ELSE s.executor END,
        CASE WHEN outside THEN
            json_build_object('run_id', s.run_id, 'step_id', s.id, 'epoch', s.epoch, 'phase', s.phase, 'body', s.body,
                              'path', s.path, 'input', s.input, 'deadline', s.due_at)
        ELSE
            json_build_object('run_id', s.run_id, 'step_id', s.id, 'epoch', s.epoch, 'phase', s.phase, 'body', s.body,
                              'path', s.path)
        END);
    PERFORM neuron_tell(s.org_id, s.run_id, CASE WHEN outside THEN 'step.delegated' ELSE 'step.requested' END, s.id, s.path, s.body,
                        json_build_object('epoch', s.epoch, 'phase', s.phase, 'revision', s.revision));
END $$;

-- Take back the whole transition: the verdict is the error's text.
CREATE FUNCTION neuron_refuse(p_verdict text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'H9002', MESSAGE = p_verdict;
END $$;

-- How long a request may lie before the sweep sends it again; the id is the same, so it does no harm.
CREATE FUNCTION neuron_reminder() RETURNS interval LANGUAGE sql IMMUTABLE AS $$ SELECT interval '2 minutes' $$;

-- ------------------------------------------------------------------------------------------------------------------------------
-- Parts of transitions. Their callers hold the run's row.

-- The step as its holder left it, locked: null when the run has ended, or the step has moved on from that epoch or that lease.
-- A delegated step has no lease: p_token is null for it.
CREATE FUNCTION neuron_hold(p_org uuid, p_run uuid, p_step uuid, p_epoch integer, p_token uuid) RETURNS steps
LANGUAGE plpgsql AS $$
DECLARE
    s steps;
BEGIN
    PERFORM 1 FROM runs WHERE org_id = p_org AND id = p_run AND state = 'running' FOR NO KEY UPDATE;
    IF FOUND THEN
        SELECT * INTO s FROM steps
        WHERE org_id = p_org AND run_id = p_run AND id = p_step AND epoch = p_epoch
          AND CASE WHEN p_token IS NULL THEN state = 'delegated' ELSE state = 'running' AND lease_token = p_token END
        FOR NO KEY UPDATE;
    END IF;
    RETURN s;
END $$;

-- Count as spent what was held for calls of a step, or of the whole run: nobody is left who could say what they cost.
CREATE FUNCTION neuron_lapse(p_org uuid, p_run uuid, p_steps uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    held record;
BEGIN
    FOR held IN
        UPDATE reservations SET state = 'lapsed'
        WHERE org_id = p_org AND run_id = p_run AND state = 'held' AND (p_steps IS NULL OR step_id = ANY (p_steps))
        RETURNING period, amount
    LOOP
        UPDATE runs SET reserved = reserved - held.amount, spent = spent + held.amount WHERE org_id = p_org AND id = p_run;
        UPDATE budgets SET reserved = reserved - held.amount, spent = spent + held.amount
        WHERE org_id = p_org AND period = held.period;
    END LOOP;
END $$;

-- End a run: whatever still lives in it is cancelled.
CREATE FUNCTION neuron_finish(p_org uuid, p_run uuid, p_state text, p_output json, p_code text, p_reason text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    r runs;
    s steps;
    -- An event holds at most 1 MiB: a larger output is left out, and found with the run.
    portable json := CASE WHEN octet_length(p_output::text) <= 800000 THEN p_output END;
BEGIN
    FOR s IN
        UPDATE steps SET state = 'cancelled', finished_at = clock_timestamp(), due_at = NULL, lease_token = NULL
        WHERE org_id = p_org AND run_id = p_run AND state IN ('requested', 'running', 'waiting', 'delegated')
        RETURNING *
    LOOP
        PERFORM neuron_tell(p_org, p_run, 'step.cancelled', s.id, s.path, s.body, NULL);
    END LOOP;
    PERFORM neuron_lapse(p_org, p_run, NULL);
    UPDATE runs SET
        state = p_state, output = p_output, code = p_code, reason = p_reason, finished_at = clock_timestamp(),
        made_by = (SELECT CASE WHEN bool_or(engine = 'repaired') THEN 'repaired' WHEN bool_or(engine = 'model') THEN 'model'
                               ELSE 'builtin' END
                   FROM steps WHERE org_id = p_org AND run_id = p_run AND state = 'completed')
    WHERE org_id = p_org AND id = p_run RETURNING * INTO r;
    PERFORM neuron_emit(p_org, format('%s/ended', p_run), 'ai.hal9.neuron.run.' || p_state, p_run::text,
        coalesce(r.correlation_id, p_run::text), NULL,
        CASE p_state
            WHEN 'completed' THEN json_build_object(
                'run_id', p_run, 'process', r.process, 'output', portable, 'engine', r.made_by, 'cost_microdollars', r.spent,
                'replay_of', r.replay_of)
            WHEN 'failed' THEN json_build_object(
                'run_id', p_run, 'process', r.process, 'output', portable, 'code', p_code, 'reason', p_reason,
                'cost_microdollars', r.spent, 'replay_of', r.replay_of)
            ELSE json_build_object(
                'run_id', p_run, 'process', r.process, 'reason', p_reason, 'cost_microdollars', r.spent, 'replay_of', r.replay_of)
        END);
    PERFORM neuron_tell(p_org, p_run, 'run.' || p_state, NULL, NULL, NULL, json_build_object('code', p_code, 'reason', p_reason));
END $$;

-- A child has ended: one less to wait for, and whoever takes the last one asks for the parent's next phase.
CREATE FUNCTION neuron_join(p_org uuid, p_run uuid, p_parent uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    s steps;
BEGIN
    UPDATE steps SET
        pending = pending - 1,
        state = CASE WHEN pending = 1 THEN 'requested' ELSE state END,
        phase = CASE WHEN pending = 1 THEN phase + 1 ELSE phase END,
        attempts = CASE WHEN pending = 1 THEN 0 ELSE attempts END,
        due_at = CASE WHEN pending = 1 THEN clock_timestamp() + neuron_reminder() END
    WHERE org_id = p_org AND run_id = p_run AND id = p_parent AND state = 'waiting' RETURNING * INTO s;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'step % has a child that ended, and does not wait for any', p_parent;
    END IF;
    IF s.state = 'requested' THEN
        PERFORM neuron_request(s);
    END IF;
END $$;

-- A step (already marked) has failed: so has its parent, and so on, up to the root or to a step that was optional.
CREATE FUNCTION neuron_failed(s steps, p_code text, p_reason text, p_output json) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    because text := p_reason;
    origin text := s.path;
    below text;
    gone steps;
    ended uuid[];
BEGIN
    LOOP
        PERFORM neuron_tell(s.org_id, s.run_id, 'step.failed', s.id, s.path, s.body, json_build_object('code', p_code, 'reason', because));
        IF s.parent_id IS NULL THEN
            PERFORM neuron_finish(s.org_id, s.run_id, 'failed', CASE WHEN origin = '/' THEN p_output END, p_code,
                                  CASE WHEN origin = '/' THEN p_reason ELSE format('%s: %s', origin, p_reason) END);
            RETURN;
        END IF;
        IF s.optional THEN
            PERFORM neuron_join(s.org_id, s.run_id, s.parent_id);
            RETURN;
        END IF;
        because := format('%s: %s', s.key, because);
        UPDATE steps SET state = 'failed', failure = because, finished_at = clock_timestamp(), due_at = NULL, lease_token = NULL, pending = 0
        WHERE org_id = s.org_id AND run_id = s.run_id AND id = s.parent_id RETURNING * INTO s;
        below := CASE s.path WHEN '/' THEN '/' ELSE s.path || '/' END;
        ended := NULL;
        FOR gone IN
            UPDATE steps SET state = 'cancelled', finished_at = clock_timestamp(), due_at = NULL, lease_token = NULL
            WHERE org_id = s.org_id AND run_id = s.run_id AND state IN ('requested', 'running', 'waiting', 'delegated')
              AND starts_with(path, below) AND id <> s.id
            RETURNING *
        LOOP
            ended := ended || gone.id;
            PERFORM neuron_tell(gone.org_id, gone.run_id, 'step.cancelled', gone.id, gone.path, gone.body, NULL);
        END LOOP;
        IF ended IS NOT NULL THEN
            PERFORM neuron_lapse(s.org_id, s.run_id, ended);
        END IF;
    END LOOP;
END $$;

-- Keep a delegated step's answer for replays.
CREATE FUNCTION neuron_remember(p_org uuid, p_run uuid, p_path text, p_kind text, p_key bytea, p_model text, p_answer text, p_cost bigint)
RETURNS void
LANGUAGE sql AS $$
    INSERT INTO journal (org_id, key, run_id, path, kind, model, answer, cost)
    VALUES (p_org, p_key, p_run, p_path, p_kind, p_model, p_answer, p_cost) ON CONFLICT DO NOTHING
$$;

-- ------------------------------------------------------------------------------------------------------------------------------
-- Transitions: each is a statement, and a transaction, of its own

-- Start a run. `started`; `same`: it was started before, by its id or its idempotency key; `mismatch`: that key stood for another request.
-- With a code, the run is born failed: whoever asked for it by an event gets its answer by an event.
CREATE FUNCTION neuron_start(
    p_org uuid, p_fence bigint, p_source text, p_trace text, p_cause text,
    p_run uuid, p_origin uuid, p_replay_of uuid, p_process text, p_engine text, p_input json, p_subject text, p_correlation text,
    p_key text, p_hash bytea, p_cost_cap bigint, p_per_step integer, p_per_run integer, p_deadline double precision,
    p_step uuid, p_body text, p_executor text, p_delegated boolean, p_attempts integer, p_step_deadline double precision,
    p_code text, p_reason text
) RETURNS TABLE (verdict text, run_id uuid)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    s steps;
BEGIN
    PERFORM neuron_enter(p_org, p_fence, p_source, p_trace, p_cause);
    INSERT INTO runs (org_id, id, origin_id, replay_of, process, engine, input, subject, correlation_id, idempotency_key, request_hash,
                      cost_cap, revisions_per_step, revisions_per_run, steps, deadline_at)
    VALUES (p_org, p_run, p_origin, p_replay_of, p_process, p_engine, p_input, p_subject, p_correlation, p_key, p_hash,
            p_cost_cap, p_per_step, p_per_run, CASE WHEN p_code IS NULL THEN 1 ELSE 0 END,
            clock_timestamp() + make_interval(secs => p_deadline))
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN QUERY SELECT CASE WHEN request_hash IS NOT DISTINCT FROM p_hash THEN 'same' ELSE 'mismatch' END, id
                     FROM runs WHERE org_id = p_org AND (id = p_run OR idempotency_key = p_key) LIMIT 1;
        RETURN;
    END IF;
    PERFORM neuron_tell(p_org, p_run, 'run.started', NULL, NULL, NULL, json_build_object('process', p_process, 'replay_of', p_replay_of));
    IF p_code IS NULL THEN
        INSERT INTO steps (org_id, run_id, id, path, key, body, executor, delegated, depth, max_attempts, deadline_seconds, state,
                           attempts, input, due_at)
        VALUES (p_org, p_run, p_step, '/', '', p_body, p_executor, p_delegated, 0, p_attempts, p_step_deadline,
                CASE WHEN p_delegated AND p_origin = p_run THEN 'delegated' ELSE 'requested' END, 0, p_input,
                clock_timestamp() + CASE WHEN p_delegated THEN make_interval(secs => p_step_deadline) ELSE neuron_reminder() END)
        RETURNING * INTO s;
        PERFORM neuron_request(s);
    ELSE
        PERFORM neuron_finish(p_org, p_run, 'failed', NULL, p_code, p_reason);
    END IF;
    RETURN QUERY SELECT 'started', p_run;
END $$;

-- Claim a step with a lease, and give everything that its body needs. No row: it has moved on, or somebody else has it.
-- The claim need not survive a power failure (the step would just be claimed again), so it does not wait for the disk.
CREATE FUNCTION neuron_claim(
    p_org uuid, p_fence bigint, p_source text, p_trace text, p_cause text,
    p_run uuid, p_step uuid, p_epoch integer, p_phase integer, p_token uuid, p_lease double precision
) RETURNS TABLE (
    process text, engine text, origin_id uuid, replay boolean, body text, path text, depth smallint, generation integer,
    revision integer, attempts integer, max_attempts integer, delegated boolean, input text, memo text,
    child_keys text[], child_paths text[], child_bodies text[], child_outputs text[], child_engines text[], child_failures text[],
    child_exhausted boolean[], child_leftovers text[], signals text[]
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    s steps;
    r record;
BEGIN
    PERFORM neuron_enter(p_org, p_fence, p_source, p_trace, p_cause), set_config('synchronous_commit', 'off', true);
    -- Most duplicates end here, without having locked or written anything.
    PERFORM 1 FROM steps WHERE org_id = p_org AND run_id = p_run AND id = p_step AND state = 'requested' AND epoch = p_epoch
                           AND phase = p_phase;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE runs SET sequence = sequence + 1 WHERE org_id = p_org AND id = p_run AND state = 'running'
    RETURNING process, engine, origin_id, id, sequence INTO r;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE steps SET state = 'running', attempts = attempts + 1, lease_token = p_token,
                     due_at = clock_timestamp() + make_interval(secs => p_lease), started_at = coalesce(started_at, clock_timestamp())
    WHERE org_id = p_org AND run_id = p_run AND id = p_step AND state = 'requested' AND epoch = p_epoch AND phase = p_phase
    RETURNING * INTO s;
    IF NOT FOUND THEN
        PERFORM neuron_refuse('stale');
    END IF;
    INSERT INTO run_events (org_id, run_id, sequence, type, step_id, path, body, data)
    VALUES (p_org, p_run, r.sequence, 'step.started', s.id, s.path, s.body,
            json_build_object('epoch', s.epoch, 'phase', s.phase, 'attempt', s.attempts));
    process := r.process; engine := r.engine; origin_id := r.origin_id; replay := r.origin_id <> r.id;
    body := s.body; path := s.path; depth := s.depth; generation := s.generation; revision := s.revision;
    attempts := s.attempts; max_attempts := s.max_attempts; delegated := s.delegated; input := s.input::text;
    memo := s.memos[s.phase]::text;
    IF s.phase > 0 THEN
        SELECT array_agg(c.key ORDER BY c.id), array_agg(c.path ORDER BY c.id), array_agg(c.body ORDER BY c.id),
               array_agg(c.output::text ORDER BY c.id), array_agg(coalesce(c.engine, 'builtin') ORDER BY c.id),
               array_agg(c.failure ORDER BY c.id), array_agg(c.exhausted ORDER BY c.id), array_agg(c.leftover::text ORDER BY c.id)
        INTO child_keys, child_paths, child_bodies, child_outputs, child_engines, child_failures, child_exhausted, child_leftovers
        FROM steps c WHERE c.org_id = p_org AND c.run_id = p_run AND c.parent_id = p_step AND c.state IN ('completed', 'failed');
    END IF;
    IF s.revision > 0 THEN
        SELECT array_agg(json_build_object('blame_step', g.blame_step, 'contract_path', g.contract_path, 'diagnostic', g.diagnostic,
                                           'severity', g.severity, 'hint', g.hint)::text ORDER BY g.id)
        INTO signals FROM signals g WHERE g.org_id = p_org AND g.run_id = p_run AND g.step_id = p_step;
    END IF;
    RETURN NEXT;
END $$;

-- Keep a lease: false when it is lost, and the work with it.
CREATE FUNCTION neuron_renew(
    p_org uuid, p_fence bigint, p_run uuid, p_step uuid, p_epoch integer, p_token uuid, p_lease double precision
) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM neuron_enter(p_org, p_fence, '', '', ''), set_config('synchronous_commit', 'off', true);
    UPDATE steps SET due_at = clock_timestamp() + make_interval(secs => p_lease)
    WHERE org_id = p_org AND run_id = p_run AND id = p_step AND epoch = p_epoch AND state = 'running' AND lease_token = p_token;
    RETURN FOUND;
END $$;

-- Give a claim back, because the work could not be done just now: the same request, delivered again, claims it anew.
CREATE FUNCTION neuron_release(
    p_org uuid, p_fence bigint, p_source text, p_trace text, p_cause text, p_run uuid, p_step uuid, p_epoch integer, p_token uuid
) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    s steps;
BEGIN
    PERFORM neuron_enter(p_org, p_fence, p_source, p_trace, p_cause);
    s := neuron_hold(p_org, p_run, p_step, p_epoch, p_token);
    IF s.id IS NULL THEN
        RETURN false;
    END IF;
    PERFORM neuron_lapse(p_org, p_run, ARRAY[p_step]);
    UPDATE steps SET state = 'requested', lease_token = NULL, due_at = clock_timestamp() + neuron_reminder()
    WHERE org_id = p_org AND run_id = p_run AND id = p_step;
    RETURN true;
END $$;

-- Complete a step: inbox, step, journal, fan-in, outbox, stream. `done`; `seen`: this request was completed before; `stale`: the step has
-- moved on; `lost`: the claim is gone (the database lost it in a crash), and the same request may claim it anew.
CREATE FUNCTION neuron_complete(
    p_org uuid, p_fence bigint, p_source text, p_trace text, p_cause text,
    p_run uuid, p_step uuid, p_epoch integer, p_token uuid, p_event_source text, p_event_id text,
    p_output json, p_engine text, p_note text, p_exhausted boolean, p_leftover json, p_journal_key bytea, p_journal_answer text
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    s steps;
    next bigint;
BEGIN
    PERFORM neuron_enter(p_org, p_fence, p_source, p_trace, p_cause);
    UPDATE runs SET sequence = sequence + 1 WHERE org_id = p_org AND id = p_run AND state = 'running'
    RETURNING sequence INTO next;
    IF NOT FOUND THEN
        RETURN 'stale';
    END IF;
    UPDATE steps SET state = 'completed', output = p_output, engine = p_engine, note = p_note, exhausted = p_exhausted,
                     leftover = p_leftover, finished_at = clock_timestamp(), due_at = NULL, lease_token = NULL
    WHERE org_id = p_org AND run_id = p_run AND id = p_step AND epoch = p_epoch
      AND CASE WHEN p_token IS NULL THEN state = 'delegated' ELSE state = 'running' AND lease_token = p_token END
    RETURNING * INTO s;
    IF NOT FOUND THEN
        PERFORM neuron_refuse(neuron_why_not(p_org, p_run, p_step, p_epoch));
    END IF;
    IF NOT neuron_first(p_org, p_event_source, p_event_id) THEN
        PERFORM neuron_refuse('seen');
    END IF;
    INSERT INTO run_events (org_id, run_id, sequence, type, step_id, path, body, data)
    VALUES (p_org, p_run, next, 'step.completed', s.id, s.path, s.body,
            json_build_object('engine', p_engine, 'exhausted', p_exhausted));
    IF p_journal_key IS NOT NULL THEN
        PERFORM neuron_remember(p_org, p_run, s.path, 'delegated', p_journal_key, s.executor, p_journal_answer, 0);
    END IF;
    IF s.parent_id IS NULL THEN
        PERFORM neuron_finish(p_org, p_run, 'completed', p_output, NULL, NULL);
    ELSE
        PERFORM neuron_join(p_org, p_run, s.parent_id);
    END IF;
    RETURN 'done';
END $$;

-- Start children: the parent's count and all of them in one transaction. Further verdicts: `too-many-steps`, `key-taken`.
-- p_children: [{id, key, body, executor, delegated, optional, input, max_attempts, deadline_seconds}]
CREATE FUNCTION neuron_spawn(
    p_org uuid, p_fence bigint, p_source text, p_trace text, p_cause text,
    p_run uuid, p_step uuid, p_epoch integer, p_token uuid, p_event_source text, p_event_id text,
    p_memo json, p_children json, p_engine text, p_note text, p_max_steps integer
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    s steps;
    c steps;
    count integer := json_array_length(p_children);
    above text;
    replay boolean;
BEGIN
    PERFORM neuron_enter(p_org, p_fence, p_source, p_trace, p_cause);
    s := neuron_hold(p_org, p_run, p_step, p_epoch, p_token);
    IF s.id IS NULL THEN
        RETURN neuron_why_not(p_org, p_run, p_step, p_epoch);
    END IF;
    IF EXISTS (SELECT FROM steps o JOIN json_array_elements(p_children) AS e(child) ON o.key = e.child ->> 'key'
               WHERE o.org_id = p_org AND o.run_id = p_run AND o.parent_id = p_step AND o.state <> 'superseded') THEN
        RETURN 'key-taken';
    END IF;
    UPDATE runs SET steps = steps + count WHERE org_id = p_org AND id = p_run AND steps + count <= p_max_steps
    RETURNING origin_id <> id INTO replay;
    IF NOT FOUND THEN
        RETURN 'too-many-steps';
    END IF;
    IF NOT neuron_first(p_org, p_event_source, p_event_id) THEN
        PERFORM neuron_refuse('seen');
    END IF;
    UPDATE steps SET state = 'waiting', pending = count, memos = memos[1:s.phase] || ARRAY[p_memo]::json[], engine = p_engine,
                     note = p_note, due_at = NULL, lease_token = NULL
    WHERE org_id = p_org AND run_id = p_run AND id = p_step;
    PERFORM neuron_tell(p_org, p_run, 'step.waiting', s.id, s.path, s.body, json_build_object('phase', s.phase, 'children', count));
    above := CASE s.path WHEN '/' THEN '/' ELSE s.path || '/' END;
    FOR c IN
        INSERT INTO steps (org_id, run_id, id, parent_id, path, key, body, executor, delegated, optional, depth, joined_phase, generation,
                           max_attempts, deadline_seconds, state, attempts, input, due_at)
        SELECT p_org, p_run, n.id, p_step, above || n.key, n.key, n.body, n.executor, n.delegated, n.optional, s.depth + 1, s.phase,
               (SELECT count(*) FROM steps o WHERE o.org_id = p_org AND o.run_id = p_run AND o.path = above || n.key),
               n.max_attempts, n.deadline_seconds,
               CASE WHEN n.delegated AND NOT replay THEN 'delegated' ELSE 'requested' END, 0, n.input,
               clock_timestamp() + CASE WHEN n.delegated AND NOT replay THEN make_interval(secs => n.deadline_seconds)
                                        ELSE neuron_reminder() END
        FROM json_to_recordset(p_children) AS n (id uuid, key text, body text, executor text, delegated boolean, optional boolean,
                                                 input json, max_attempts integer, deadline_seconds double precision)
        RETURNING *
    LOOP
        PERFORM neuron_request(c);
    END LOOP;
    RETURN 'done';
END $$;

-- Hand a claimed step to its delegated executor: a replay found nothing in the journal.
CREATE FUNCTION neuron_delegate(
    p_org uuid, p_fence bigint, p_source text, p_trace text, p_cause text,
    p_run uuid, p_step uuid, p_epoch integer, p_token uuid, p_event_source text, p_event_id text
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    s steps;
BEGIN
    PERFORM neuron_enter(p_org, p_fence, p_source, p_trace, p_cause);
    s := neuron_hold(p_org, p_run, p_step, p_epoch, p_token);
    IF s.id IS NULL THEN
        RETURN neuron_why_not(p_org, p_run, p_step, p_epoch);
    END IF;
    IF NOT neuron_first(p_org, p_event_source, p_event_id) THEN
        RETURN 'seen';
    END IF;
    UPDATE steps SET state = 'delegated', lease_token = NULL, attempts = 0,
                     due_at = clock_timestamp() + make_interval(secs => deadline_seconds)
    WHERE org_id = p_org AND run_id = p_run AND id = p_step RETURNING * INTO s;
    PERFORM neuron_request(s);
    RETURN 'done';
END $$;

-- Fail a step, and with it what cannot do without it. Verdicts as neuron_complete.
CREATE FUNCTION neuron_fail(
    p_org uuid, p_fence bigint, p_source text, p_trace text, p_cause text,
    p_run uuid, p_step uuid, p_epoch integer, p_token uuid, p_event_source text, p_event_id text,
    p_code text, p_reason text, p_output json, p_engine text, p_journal_key bytea, p_journal_answer text
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    s steps;
BEGIN
    PERFORM neuron_enter(p_org, p_fence, p_source, p_trace, p_cause);
    s := neuron_hold(p_org, p_run, p_step, p_epoch, p_token);
    IF s.id IS NULL THEN
        RETURN neuron_why_not(p_org, p_run, p_step, p_epoch);
    END IF;
    IF NOT neuron_first(p_org, p_event_source, p_event_id) THEN
        RETURN 'seen';
    END IF;
    UPDATE steps SET state = 'failed', failure = p_reason, output = p_output, engine = p_engine, finished_at = clock_timestamp(),
                     due_at = NULL, lease_token = NULL
    WHERE org_id = p_org AND run_id = p_run AND id = p_step;
    IF p_journal_key IS NOT NULL THEN
        PERFORM neuron_remember(p_org, p_run, s.path, 'delegated', p_journal_key, s.executor, p_journal_answer, 0);
    END IF;
    PERFORM neuron_failed(s, p_code, p_reason, p_output);
    RETURN 'done';
END $$;

-- Fail a step whose request could not be delivered: only when nobody works on it, and it still waits for that very request.
CREATE FUNCTION neuron_undelivered(
    p_org uuid, p_fence bigint, p_source text, p_trace text, p_cause text,
    p_run uuid, p_step uuid, p_epoch integer, p_phase integer, p_event_source text, p_event_id text, p_reason text
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    s steps;
BEGIN
    PERFORM neuron_enter(p_org, p_fence, p_source, p_trace, p_cause);
    PERFORM 1 FROM runs WHERE org_id = p_org AND id = p_run AND state = 'running' FOR NO KEY UPDATE;
    IF NOT FOUND OR NOT neuron_first(p_org, p_event_source, p_event_id) THEN
        RETURN 'seen';
    END IF;
    UPDATE steps SET state = 'failed', failure = p_reason, finished_at = clock_timestamp(), due_at = NULL
    WHERE org_id = p_org AND run_id = p_run AND id = p_step AND epoch = p_epoch AND phase = p_phase AND state IN ('requested', 'delegated')
    RETURNING * INTO s;
    IF s.id IS NULL THEN
        RETURN 'stale';
    END IF;
    PERFORM neuron_failed(s, 'undelivered', p_reason, NULL);
    RETURN 'done';
END $$;

-- Send steps back: what `functions/neuron/rewind.py` planned while it held the run. p_plan:
-- {superseded: [id], revised: [id], waiting: [{id, phase, pending}], signals: [{id, step_id, blame_step, from_step, …, revision}]}
CREATE FUNCTION neuron_revise(p_org uuid, p_run uuid, p_plan json) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    s steps;
    gone uuid[] := ARRAY(SELECT value::uuid FROM json_array_elements_text(p_plan -> 'superseded'));
    back uuid[] := ARRAY(SELECT value::uuid FROM json_array_elements_text(p_plan -> 'revised'));
BEGIN
    INSERT INTO signals (org_id, run_id, id, step_id, blame_step, from_step, contract_path, diagnostic, severity, hint, revision)
    SELECT p_org, p_run, g.id, g.step_id, g.blame_step, g.from_step, g.contract_path, g.diagnostic, g.severity, g.hint, g.revision
    FROM json_to_recordset(p_plan -> 'signals') AS g (id uuid, step_id uuid, blame_step text, from_step text, contract_path text,
                                                      diagnostic text, severity text, hint text, revision integer);
    PERFORM neuron_lapse(p_org, p_run, gone || back || ARRAY(
        SELECT (value ->> 'id')::uuid FROM json_array_elements(p_plan -> 'waiting')));
    FOR s IN
        UPDATE steps SET state = 'superseded', finished_at = clock_timestamp(), due_at = NULL, lease_token = NULL
        WHERE org_id = p_org AND run_id = p_run AND id = ANY (gone) RETURNING *
    LOOP
        PERFORM neuron_tell(p_org, p_run, 'step.superseded', s.id, s.path, s.body, NULL);
    END LOOP;
    UPDATE steps SET state = 'waiting', phase = w.phase, pending = w.pending, epoch = epoch + 1, attempts = 0, output = NULL,
                     exhausted = false, leftover = NULL, finished_at = NULL, due_at = NULL, lease_token = NULL,
                     memos = memos[1:w.phase + 1]
    FROM json_to_recordset(p_plan -> 'waiting') AS w (id uuid, phase integer, pending integer)
    WHERE steps.org_id = p_org AND steps.run_id = p_run AND steps.id = w.id;
    UPDATE runs SET revisions = revisions + cardinality(back) WHERE org_id = p_org AND id = p_run;
    FOR s IN
        UPDATE steps SET
            state = CASE WHEN s1.delegated AND NOT r.replay THEN 'delegated' ELSE 'requested' END,
            phase = 0, pending = 0, epoch = epoch + 1, revision = revision + 1, attempts = 0, output = NULL, exhausted = false,
            leftover = NULL, failure = NULL, started_at = NULL, finished_at = NULL, lease_token = NULL, memos = '{}',
            due_at = clock_timestamp() + CASE WHEN s1.delegated AND NOT r.replay THEN make_interval(secs => deadline_seconds)
                                              ELSE neuron_reminder() END
        FROM (SELECT id AS step_id, delegated FROM steps WHERE org_id = p_org AND run_id = p_run AND id = ANY (back)) AS s1,
             (SELECT origin_id <> id AS replay FROM runs WHERE org_id = p_org AND id = p_run) AS r
        WHERE org_id = p_org AND run_id = p_run AND id = s1.step_id
        RETURNING steps.*
    LOOP
        PERFORM neuron_tell(p_org, p_run, 'step.revised', s.id, s.path, s.body, json_build_object('revision', s.revision));
        PERFORM neuron_request(s);
    END LOOP;
END $$;

-- Cancel a run: its state then, null when there is none.
CREATE FUNCTION neuron_cancel(p_org uuid, p_fence bigint, p_source text, p_trace text, p_cause text, p_run uuid, p_reason text)
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    was text;
BEGIN
    PERFORM neuron_enter(p_org, p_fence, p_source, p_trace, p_cause);
    SELECT state INTO was FROM runs WHERE org_id = p_org AND id = p_run FOR NO KEY UPDATE;
    IF was = 'running' THEN
        PERFORM neuron_finish(p_org, p_run, 'cancelled', NULL, 'cancelled', p_reason);
        RETURN 'cancelled';
    END IF;
    RETURN was;
END $$;

-- ------------------------------------------------------------------------------------------------------------------------------
-- The sweep

-- Deal with a step that nobody moved on in time: remind, try again with a new epoch, or fail it when it was tried often enough.
CREATE FUNCTION neuron_expire(
    p_org uuid, p_fence bigint, p_source text, p_trace text, p_cause text, p_run uuid, p_step uuid, p_epoch integer, p_at timestamptz
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    s steps;
    done text := 'retried';
BEGIN
    PERFORM neuron_enter(p_org, p_fence, p_source, p_trace, p_cause);
    PERFORM 1 FROM runs WHERE org_id = p_org AND id = p_run AND state = 'running' FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'stale';
    END IF;
    SELECT * INTO s FROM steps WHERE org_id = p_org AND run_id = p_run AND id = p_step AND epoch = p_epoch AND due_at <= p_at
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'stale';
    END IF;
    IF s.state = 'requested' THEN
        UPDATE steps SET due_at = clock_timestamp() + neuron_reminder() WHERE org_id = p_org AND run_id = p_run AND id = p_step;
        PERFORM neuron_request(s);
        RETURN 'reminded';
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

-- Fail a run whose deadline has passed.
CREATE FUNCTION neuron_overdue(
    p_org uuid, p_fence bigint, p_source text, p_trace text, p_cause text, p_run uuid, p_at timestamptz
) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM neuron_enter(p_org, p_fence, p_source, p_trace, p_cause);
    PERFORM 1 FROM runs WHERE org_id = p_org AND id = p_run AND state = 'running' AND deadline_at <= p_at FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'stale';
    END IF;
    PERFORM neuron_finish(p_org, p_run, 'failed', NULL, 'deadline', 'The run was not done by its deadline.');
    RETURN 'failed';
END $$;

-- What is overdue on this shard, of all organisations: ids only. p_at lies in the future in tests.
CREATE POLICY sweep ON steps FOR SELECT TO hal9_definer USING (due_at IS NOT NULL);
CREATE POLICY sweep ON runs FOR SELECT TO hal9_definer USING (state = 'running');
GRANT SELECT (org_id, run_id, id, epoch, due_at) ON steps TO hal9_definer;
GRANT SELECT (org_id, id, state, deadline_at) ON runs TO hal9_definer;
CREATE FUNCTION neuron_due(p_at timestamptz, p_limit integer)
RETURNS TABLE (org_id uuid, run_id uuid, step_id uuid, epoch integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    (SELECT org_id, id, NULL::uuid, NULL::integer FROM runs WHERE state = 'running' AND deadline_at <= p_at
     ORDER BY deadline_at LIMIT p_limit)
    UNION ALL
    (SELECT org_id, run_id, id, epoch FROM steps WHERE due_at <= p_at ORDER BY due_at LIMIT p_limit)
$$;
ALTER FUNCTION neuron_due(timestamptz, integer) OWNER TO hal9_definer;
REVOKE ALL ON FUNCTION neuron_due(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION neuron_due(timestamptz, integer) TO hal9_app;

-- ------------------------------------------------------------------------------------------------------------------------------
-- Money

-- Hold the most that a call can cost, under the caps of the run and of the organisation. `held`; `run`, `organisation`: that cap does not
-- hold it; `lost`: the step is no longer the caller's.
CREATE FUNCTION neuron_reserve(
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
    INSERT INTO budgets (org_id, period, cap) VALUES (p_org, month, p_default_cap) ON CONFLICT DO NOTHING;
    UPDATE runs SET reserved = reserved + p_amount WHERE org_id = p_org AND id = p_run AND spent + reserved + p_amount <= cost_cap;
    IF NOT FOUND THEN
        RETURN 'run';
    END IF;
    UPDATE budgets SET reserved = reserved + p_amount
    WHERE org_id = p_org AND period = month AND spent + reserved + p_amount <= cap;
    IF NOT FOUND THEN
        UPDATE runs SET reserved = reserved - p_amount WHERE org_id = p_org AND id = p_run;
        RETURN 'organisation';
    END IF;
    INSERT INTO reservations (org_id, id, run_id, step_id, period, amount) VALUES (p_org, p_id, p_run, p_step, month, p_amount);
    RETURN 'held';
END $$;

-- Say what a call cost, and keep its answer: whatever became of the run meanwhile, the money is gone.
CREATE FUNCTION neuron_settle(
    p_org uuid, p_fence bigint, p_run uuid, p_step uuid, p_id uuid, p_cost bigint, p_path text, p_key bytea, p_model text, p_answer text
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    held record;
BEGIN
    PERFORM neuron_enter(p_org, p_fence, '', '', '');
    PERFORM 1 FROM runs WHERE org_id = p_org AND id = p_run FOR NO KEY UPDATE;
    DELETE FROM reservations WHERE org_id = p_org AND id = p_id RETURNING period, amount, state INTO held;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE runs SET
        reserved = reserved - CASE held.state WHEN 'held' THEN held.amount ELSE 0 END,
        spent = spent + p_cost - CASE held.state WHEN 'lapsed' THEN held.amount ELSE 0 END
    WHERE org_id = p_org AND id = p_run;
    UPDATE budgets SET
        reserved = reserved - CASE held.state WHEN 'held' THEN held.amount ELSE 0 END,
        spent = spent + p_cost - CASE held.state WHEN 'lapsed' THEN held.amount ELSE 0 END
    WHERE org_id = p_org AND period = held.period;
    UPDATE steps SET cost = cost + p_cost WHERE org_id = p_org AND run_id = p_run AND id = p_step;
    IF p_answer IS NOT NULL THEN
        PERFORM neuron_remember(p_org, p_run, p_path, 'model', p_key, p_model, p_answer, p_cost);
    END IF;
END $$;

-- ------------------------------------------------------------------------------------------------------------------------------
-- Reading

-- Lines of a run's live stream after a sequence. No fence: reading an old place for a moment does no harm.
CREATE FUNCTION neuron_events(p_org uuid, p_fence bigint, p_run uuid, p_after bigint, p_limit integer)
RETURNS TABLE (sequence bigint, type text, step_id uuid, path text, body text, data text, at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('hal9.org_id', p_org::text, true);
    RETURN QUERY SELECT sequence, type, step_id, path, body, data::text, at FROM run_events
                 WHERE org_id = p_org AND run_id = p_run AND sequence > p_after ORDER BY sequence LIMIT p_limit;
END $$;

-- What the journal knows under a key: no row when nothing.
CREATE FUNCTION neuron_recall(p_org uuid, p_fence bigint, p_key bytea) RETURNS TABLE (answer text, model text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('hal9.org_id', p_org::text, true);
    RETURN QUERY SELECT answer, model FROM journal WHERE org_id = p_org AND key = p_key;
END $$;

-- A step that was delegated, in that epoch: what its answer is checked against.
CREATE FUNCTION neuron_delegated(p_org uuid, p_fence bigint, p_run uuid, p_step uuid, p_epoch integer)
RETURNS TABLE (process text, origin_id uuid, body text, path text, generation integer, revision integer, input text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('hal9.org_id', p_org::text, true);
    RETURN QUERY SELECT r.process, r.origin_id, s.body, s.path, s.generation, s.revision, s.input::text
                 FROM steps s JOIN runs r ON r.org_id = s.org_id AND r.id = s.run_id
                 WHERE s.org_id = p_org AND s.run_id = p_run AND s.id = p_step AND s.epoch = p_epoch AND s.state = 'delegated'
                   AND r.state = 'running';
END $$;
