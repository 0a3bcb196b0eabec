-- Requests for software, the verifications of what was written, and the archives that are kept.

CREATE TABLE projects (
    org_id            uuid NOT NULL,
    project_id        uuid NOT NULL,
    run_id            uuid NOT NULL,
    request           text NOT NULL,
    language          text NOT NULL,
    engine_choice     text CHECK (engine_choice IN ('builtin', 'model')),
    state             text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'completed', 'failed', 'cancelled')),
    reason            text,
    engine            text CHECK (engine IN ('builtin', 'model', 'repaired')),
    artefact_id       uuid,
    result            jsonb,
    cost_microdollars bigint NOT NULL DEFAULT 0 CHECK (cost_microdollars >= 0),
    created_at        timestamptz NOT NULL,
    finished_at       timestamptz,
    PRIMARY KEY (org_id, project_id),
    UNIQUE (org_id, run_id)
);
CREATE INDEX projects_by_age ON projects (org_id, created_at DESC, project_id DESC);
ALTER TABLE projects ENABLE ROW LEVEL SECURITY;
ALTER TABLE projects FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON projects TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
GRANT SELECT, INSERT, UPDATE (state, reason, engine, artefact_id, result, cost_microdollars, finished_at)
    ON projects TO hal9_app;

-- One verification of one try of a step. Whoever holds the lease works; the answer is kept, so that it is given again and not made again.
CREATE TABLE verifications (
    org_id      uuid NOT NULL,
    step_id     uuid NOT NULL,
    epoch       integer NOT NULL,
    worker      uuid NOT NULL,
    lease_until timestamptz NOT NULL,
    answer      jsonb,
    PRIMARY KEY (org_id, step_id, epoch)
);
ALTER TABLE verifications ENABLE ROW LEVEL SECURITY;
ALTER TABLE verifications FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON verifications TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
GRANT SELECT, INSERT, UPDATE (worker, lease_until, answer) ON verifications TO hal9_app;

-- The archives: here what is known of each, in the object store its bytes.
CREATE TABLE artefacts (
    org_id      uuid NOT NULL,
    artefact_id uuid NOT NULL,
    run_id      uuid NOT NULL,
    media_type  text NOT NULL,
    sha256      text NOT NULL CHECK (length(sha256) = 64),
    size        bigint NOT NULL CHECK (size >= 0),
    engine      text NOT NULL CHECK (engine IN ('builtin', 'model', 'repaired')),
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (org_id, artefact_id)
);
CREATE INDEX artefacts_by_run ON artefacts (org_id, run_id);
ALTER TABLE artefacts ENABLE ROW LEVEL SECURITY;
ALTER TABLE artefacts FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON artefacts TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
GRANT SELECT, INSERT ON artefacts TO hal9_app;
