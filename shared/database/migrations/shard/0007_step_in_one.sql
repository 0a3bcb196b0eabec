-- A step that may cost nothing and takes no time is claimed and completed in one transaction, after it was worked on; and each write of
-- a step or a run costs less. What the release before calls is still there, and does the same.

-- ------------------------------------------------------------------------------------------------------------------------------
-- What every UPDATE of a row pays for, whichever column it changes

-- PostgreSQL reads and compiles a table's CHECK constraints anew for each statement. Gone are those that list the words which the
-- functions here write, that on a cap which nothing changes, and that on `pending`, which neuron_join looks after. What guards money
-- under way (reserved) stays.
ALTER TABLE steps DROP CONSTRAINT steps_state_check;
ALTER TABLE steps DROP CONSTRAINT steps_pending_check;
ALTER TABLE runs DROP CONSTRAINT runs_state_check;
ALTER TABLE runs DROP CONSTRAINT runs_engine_check;
ALTER TABLE runs DROP CONSTRAINT runs_cost_cap_check;

-- A child has ended: one less to wait for, and whoever takes the last one asks for the parent's next phase.
CREATE OR REPLACE FUNCTION neuron_join(p_org uuid, p_run uuid, p_parent uuid) RETURNS void
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
    WHERE org_id = p_org AND run_id = p_run AND id = p_parent AND state = 'waiting' AND pending > 0 RETURNING * INTO s;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'step % has a child that ended, and does not wait for any', p_parent;
    END IF;
    IF s.state = 'requested' THEN
        PERFORM neuron_request(s);
    END IF;
END $$;

-- A BEFORE UPDATE trigger has every row of the table that is updated locked and read once more, also when its columns are not changed.
-- Its rule is in the functions below instead, which are all that write the two columns.
DROP TRIGGER keep_engine ON steps;
DROP FUNCTION neuron_keep_engine();

-- Which engine made a step of several phases: a model's part shows, whatever the later phases did.
CREATE FUNCTION neuron_engine(p_before text, p_now text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN p_now = 'builtin' THEN coalesce(p_before, p_now) ELSE p_now END $$;

CREATE OR REPLACE FUNCTION neuron_complete(
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
    UPDATE steps SET state = 'completed', output = p_output, engine = neuron_engine(engine, p_engine), note = coalesce(p_note, note), exhausted = p_exhausted,
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

CREATE OR REPLACE FUNCTION neuron_spawn(
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
    UPDATE steps SET state = 'waiting', pending = count, memos = memos[1:s.phase] || ARRAY[p_memo]::json[],
                     engine = neuron_engine(engine, p_engine), note = coalesce(p_note, note), due_at = NULL, lease_token = NULL
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

CREATE OR REPLACE FUNCTION neuron_fail(
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
    UPDATE steps SET state = 'failed', failure = p_reason, output = p_output, engine = neuron_engine(engine, p_engine),
                     finished_at = clock_timestamp(), due_at = NULL, lease_token = NULL
    WHERE org_id = p_org AND run_id = p_run AND id = p_step;
    IF p_journal_key IS NOT NULL THEN
        PERFORM neuron_remember(p_org, p_run, s.path, 'delegated', p_journal_key, s.executor, p_journal_answer, 0);
    END IF;
    PERFORM neuron_failed(s, p_code, p_reason, p_output);
    RETURN 'done';
END $$;

CREATE OR REPLACE FUNCTION neuron_revise(p_org uuid, p_run uuid, p_plan json) RETURNS void
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
            phase = 0, pending = 0, epoch = epoch + 1, revision = revision + 1, attempts = 0, output = NULL, engine = NULL, note = NULL,
            exhausted = false, leftover = NULL, failure = NULL, started_at = NULL, finished_at = NULL, lease_token = NULL, memos = '{}',
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

-- ------------------------------------------------------------------------------------------------------------------------------
-- Requests that carry what the body needs

-- Write an event into the outbox: the envelope's absent attributes are left out, the data stays as it is.
CREATE FUNCTION neuron_emit(
    p_org uuid, p_id text, p_type text, p_subject text, p_correlation text, p_executor text, p_data json,
    p_process text
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (org_id, id, event_type, event) VALUES (p_org, gen_random_uuid(), p_type, convert_to(
        '{"specversion":"1.0","id":' || to_json(p_id) || ',"source":' || to_json(current_setting('hal9.source'))
        || ',"type":' || to_json(p_type) || ',"subject":' || to_json(p_subject)
        || ',"time":"' || to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        || '","datacontenttype":"application/json","orgid":"' || p_org || '"'
        || coalesce(',"executor":' || to_json(p_executor), '') || coalesce(',"process":' || to_json(p_process), '')
        || coalesce(',"correlationid":' || to_json(p_correlation), '')
        || coalesce(',"causationid":' || to_json(nullif(current_setting('hal9.cause'), '')), '')
        || coalesce(',"traceparent":' || to_json(nullif(current_setting('hal9.trace'), '')), '')
        || ',"data":' || p_data || '}', 'UTF8'));
END $$;

-- The same for events that name no process.
CREATE OR REPLACE FUNCTION neuron_emit(
    p_org uuid, p_id text, p_type text, p_subject text, p_correlation text, p_executor text, p_data json
) RETURNS void
LANGUAGE sql AS $$
    SELECT neuron_emit(p_org, p_id, p_type, p_subject, p_correlation, p_executor, p_data, NULL)
$$;

-- Ask for a step: its executor gets `step.requested`. The id is deterministic: asked for twice, it is the same event. A replay asks the
-- neuron itself for a delegated step first, as the journal may know the answer.
-- The first request of a step that needs nothing but its input carries it, and the extension `process` says so: it may be worked on
-- before it is claimed (neuron_claim_and_complete). A larger input is read from here: an event is stored and sent on whole. The extension
-- is no member of the data, as the release before refuses members that it does not know.
CREATE OR REPLACE FUNCTION neuron_request(s steps) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    outside boolean := s.state = 'delegated';
    its_process text;
BEGIN
    IF NOT s.delegated AND s.phase = 0 AND s.revision = 0 AND s.attempts = 0 AND octet_length(s.input::text) <= 16384 THEN
        SELECT process INTO its_process FROM runs WHERE org_id = s.org_id AND id = s.run_id;
    END IF;
    PERFORM neuron_emit(
        s.org_id,
        format('%s/%s/%s/%s/%s', s.run_id, s.id, s.epoch, s.phase, CASE WHEN outside THEN 'delegated' ELSE 'requested' END),
        'ai.hal9.neuron.step.requested', s.id::text, s.run_id::text,
        CASE WHEN s.delegated AND NOT outside THEN 'neuron-l4' ELSE s.executor END,
        CASE WHEN outside THEN
            json_build_object('run_id', s.run_id, 'step_id', s.id, 'epoch', s.epoch, 'phase', s.phase, 'body', s.body,
                              'path', s.path, 'input', s.input, 'deadline', s.due_at)
        WHEN its_process IS NOT NULL THEN
            json_build_object('run_id', s.run_id, 'step_id', s.id, 'epoch', s.epoch, 'phase', s.phase, 'body', s.body,
                              'path', s.path, 'input', s.input)
        ELSE
            json_build_object('run_id', s.run_id, 'step_id', s.id, 'epoch', s.epoch, 'phase', s.phase, 'body', s.body,
                              'path', s.path)
        END,
        its_process);
    PERFORM neuron_tell(s.org_id, s.run_id, CASE WHEN outside THEN 'step.delegated' ELSE 'step.requested' END, s.id, s.path, s.body,
                        json_build_object('epoch', s.epoch, 'phase', s.phase, 'revision', s.revision));
END $$;

-- Complete a step that was worked on unclaimed: what neuron_claim and neuron_complete write, in one transaction. It was asked for, in
-- that epoch and its first phase, and nobody has claimed it: otherwise `stale`. `done` and `seen` as in neuron_complete.
-- p_seconds: for how long it was worked on.
CREATE FUNCTION neuron_claim_and_complete(
    p_org uuid, p_fence bigint, p_source text, p_trace text, p_cause text,
    p_run uuid, p_step uuid, p_epoch integer, p_event_source text, p_event_id text,
    p_output json, p_engine text, p_note text, p_seconds double precision
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    entered text := set_config('hal9.org_id', p_org::text, true);
    last bigint;
    parent uuid;
    its_path text;
    its_body text;
    attempt integer;
BEGIN
    -- The fence is passed in the same statement (see neuron_enter). Most duplicates end here, without having written anything.
    UPDATE runs SET sequence = sequence + 2
    FROM (SELECT FROM tenants WHERE org_id = p_org AND epoch = p_fence AND state = 'active' FOR KEY SHARE) AS fence
    WHERE org_id = p_org AND id = p_run AND state = 'running'
      AND EXISTS (SELECT FROM steps WHERE org_id = p_org AND run_id = p_run AND id = p_step AND state = 'requested'
                                      AND epoch = p_epoch AND phase = 0)
    RETURNING sequence INTO last;
    IF NOT FOUND THEN
        PERFORM neuron_enter(p_org, p_fence, p_source, p_trace, p_cause);
        RETURN 'stale';
    END IF;
    UPDATE steps SET state = 'completed', attempts = attempts + 1, output = p_output, engine = p_engine, note = p_note,
                     started_at = coalesce(started_at, clock_timestamp() - make_interval(secs => p_seconds)),
                     finished_at = clock_timestamp(), due_at = NULL
    WHERE org_id = p_org AND run_id = p_run AND id = p_step AND state = 'requested' AND epoch = p_epoch AND phase = 0
    RETURNING parent_id, path, body, attempts INTO parent, its_path, its_body, attempt;
    IF NOT FOUND THEN
        PERFORM neuron_refuse('stale');
    END IF;
    IF p_event_id IS NOT NULL THEN
        INSERT INTO inbox (org_id, consumer, source, event_id) VALUES (p_org, 'neuron', p_event_source, p_event_id) ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            PERFORM neuron_refuse('seen');
        END IF;
    END IF;
    INSERT INTO run_events (org_id, run_id, sequence, type, step_id, path, body, data) VALUES
        (p_org, p_run, last - 1, 'step.started', p_step, its_path, its_body,
         json_build_object('epoch', p_epoch, 'phase', 0, 'attempt', attempt)),
        (p_org, p_run, last, 'step.completed', p_step, its_path, its_body, json_build_object('engine', p_engine, 'exhausted', false));
    -- Unless it is the last one that its parent waits for, there is nothing to send.
    IF parent IS NOT NULL THEN
        UPDATE steps SET pending = pending - 1
        WHERE org_id = p_org AND run_id = p_run AND id = parent AND state = 'waiting' AND pending > 1;
        IF FOUND THEN
            RETURN 'done';
        END IF;
    END IF;
    PERFORM set_config('hal9.source', p_source, true), set_config('hal9.trace', p_trace, true), set_config('hal9.cause', p_cause, true);
    IF parent IS NULL THEN
        PERFORM neuron_finish(p_org, p_run, 'completed', p_output, NULL, NULL);
    ELSE
        PERFORM neuron_join(p_org, p_run, parent);
    END IF;
    RETURN 'done';
END $$;
