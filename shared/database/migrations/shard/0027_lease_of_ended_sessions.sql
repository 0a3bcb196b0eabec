-- A revocation that a replaced primary of the directory took would be unknown to the new one (see 0016).

DO $$
BEGIN
    IF to_regclass('directory.ended_sessions') IS NOT NULL THEN
        ALTER POLICY organisation ON directory.ended_sessions
            WITH CHECK (org_id = current_setting('hal9.org_id', true)::uuid AND public.lease_held());
    END IF;
END $$;
