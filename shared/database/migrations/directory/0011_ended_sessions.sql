-- What ended before its time among an organisation's sessions (shared/sessions): told again to a cache that comes back with an older state.
-- Kept for as long as a session of that kind could still live, no longer.

CREATE TABLE directory.ended_sessions (
    org_id     uuid NOT NULL REFERENCES directory.organisations ON DELETE CASCADE,
    -- `void`: subject is a user's id, or `all`; what began until `moment` is void. `device`: the user's id and the session's.
    -- `id`: the hash of an id that was replaced, or left for another region.
    kind       text NOT NULL CHECK (kind IN ('void', 'device', 'id')),
    subject    bytea NOT NULL,
    moment     bigint NOT NULL DEFAULT 0,  -- microseconds since 1970, by the caches' clocks
    kept_until timestamptz NOT NULL,
    PRIMARY KEY (org_id, kind, subject)
);
CREATE INDEX ended_sessions_kept ON directory.ended_sessions (org_id, kept_until);
ALTER TABLE directory.ended_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE directory.ended_sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON directory.ended_sessions TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
GRANT SELECT, INSERT, DELETE, UPDATE (moment, kept_until) ON directory.ended_sessions TO hal9_app;
