-- Placement: which shards take organisations, where each of them stands, and which organisations may not leave their region.

-- A shard's number is its place in HAL9_SHARDS, and stays taken when the shard is removed.
-- hal9: allow org-id: the shards are the platform's, not an organisation's
CREATE TABLE directory.shards (
    shard    smallint PRIMARY KEY CHECK (shard BETWEEN 0 AND 255),
    -- NULL until somebody says where it stands: no organisation that is pinned to a region is placed there meanwhile.
    region   text CHECK (region <> ''),
    state    text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'draining', 'removed')),
    added_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO directory.shards (shard) SELECT DISTINCT shard FROM directory.slots;
ALTER TABLE directory.shards ENABLE ROW LEVEL SECURITY;
ALTER TABLE directory.shards FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON directory.shards FOR SELECT USING (true);
GRANT SELECT ON directory.shards TO hal9_app;

-- Pinned: neither placed nor moved outside `region`.
ALTER TABLE directory.organisations ADD COLUMN pinned boolean NOT NULL DEFAULT false;
