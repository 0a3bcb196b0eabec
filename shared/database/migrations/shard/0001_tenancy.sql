-- The organisations that live on this shard. Every transaction of an organisation locks its row FOR KEY SHARE (the epoch fence), so that
-- whoever moves the organisation can wait until none is left, and none begins on the old shard afterwards.

CREATE TABLE tenants (
    -- The nil organisation is what a session has that set none: nobody may be it.
    org_id     uuid PRIMARY KEY CHECK (org_id <> '00000000-0000-0000-0000-000000000000'),
    epoch      bigint NOT NULL CHECK (epoch > 0),
    state      text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'draining', 'moved')),
    created_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON tenants FOR SELECT TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
CREATE POLICY arrival ON tenants FOR INSERT TO hal9_app
    WITH CHECK (org_id = current_setting('hal9.org_id', true)::uuid);
-- A row lock needs the right to update; WITH CHECK (false) takes back everything of it but the lock.
CREATE POLICY lock_only ON tenants FOR UPDATE TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid) WITH CHECK (false);
GRANT SELECT, INSERT, UPDATE (state) ON tenants TO hal9_app;
