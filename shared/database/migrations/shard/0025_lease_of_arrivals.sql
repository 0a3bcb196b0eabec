-- What writes without passing the epoch fence asks for the primary's lease as well (see 0016): one that was replaced while it was paused
-- would take an organisation's arrival, or shred its keys, and the new one would know nothing of it.

ALTER POLICY arrival ON tenants WITH CHECK (org_id = current_setting('hal9.org_id', true)::uuid AND lease_held());
DO $$
BEGIN
    IF to_regclass('directory.data_keys') IS NOT NULL THEN
        CREATE POLICY lease ON directory.data_keys AS RESTRICTIVE FOR DELETE TO hal9_app USING (public.lease_held());
    END IF;
END $$;
