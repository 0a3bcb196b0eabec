-- Moves of organisations between shards: what a mover does next, so that another one can go on where it was killed.

CREATE TABLE directory.moves (
    org_id       uuid NOT NULL,
    move_id      uuid NOT NULL,
    rebalance_id uuid,              -- the plan that it is part of
    place        integer NOT NULL DEFAULT 0,
    source       smallint NOT NULL,
    target       smallint NOT NULL CHECK (target <> source),
    epoch        bigint NOT NULL,   -- the one that it ends
    step         text NOT NULL DEFAULT 'planned'
                 CHECK (step IN ('planned', 'publishing', 'copying', 'verifying', 'switched', 'finished', 'cancelling', 'cancelled')),
    cancelling   boolean NOT NULL DEFAULT false,
    reason       text NOT NULL DEFAULT '',
    rows         bigint,
    pause_ms     double precision,
    retain_s     integer NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    changed_at   timestamptz NOT NULL DEFAULT now(),
    switched_at  timestamptz,
    dropped_at   timestamptz,       -- when the old copy was taken away
    PRIMARY KEY (org_id, move_id)
);
CREATE UNIQUE INDEX moves_unfinished ON directory.moves (org_id) WHERE step NOT IN ('finished', 'cancelled');
CREATE INDEX moves_retained ON directory.moves (switched_at) WHERE step = 'finished' AND dropped_at IS NULL;
ALTER TABLE directory.moves ENABLE ROW LEVEL SECURITY;
ALTER TABLE directory.moves FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON directory.moves TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
