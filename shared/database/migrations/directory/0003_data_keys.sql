-- The keys that an organisation's data are sealed with, wrapped by the master key of a region (shared/datakeys). Whoever deletes an
-- organisation's rows here has made unreadable what was sealed with them. A key that was superseded still opens what it sealed.

CREATE TABLE directory.data_keys (
    org_id        uuid NOT NULL REFERENCES directory.organisations ON DELETE CASCADE,
    region        text NOT NULL CHECK (region <> ''),
    key_id        uuid NOT NULL,
    wrapped       bytea NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    superseded_at timestamptz,
    PRIMARY KEY (org_id, region, key_id)
);
-- One key seals; two processes that make an organisation's first one at once find the same.
CREATE UNIQUE INDEX data_keys_current ON directory.data_keys (org_id, region) WHERE superseded_at IS NULL;
ALTER TABLE directory.data_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE directory.data_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON directory.data_keys TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
-- DELETE is what shreds. A wrapped key is never changed.
GRANT SELECT, INSERT, DELETE, UPDATE (superseded_at) ON directory.data_keys TO hal9_app;
