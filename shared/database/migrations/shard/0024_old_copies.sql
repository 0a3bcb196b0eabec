-- Takes away the copy that a move left here, at most so many rows at a time; null when there is none (any more), 0 when the last of it is
-- gone. Whoever calls it may touch no other copy: nor an organisation at home here, nor one that arrives. The deletions must not be
-- replicated to the new home, so nothing happens before the move's replication has ended. It runs with the rights of whoever owns the
-- tables, as a table that a later migration brings must go too, without anybody remembering it.
CREATE FUNCTION tenant_drop_copy(p_org uuid, p_epoch bigint, p_at_most integer) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    name text;
    gone bigint;
BEGIN
    SELECT 'hal9_move_' || replace(move_id::text, '-', '') INTO name FROM public.tenants
    WHERE org_id = p_org AND epoch = p_epoch AND state = 'moved' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_publication WHERE pubname = name) OR EXISTS (SELECT 1 FROM pg_replication_slots WHERE slot_name = name) THEN
        RAISE EXCEPTION 'the replication of the move of organisation % has not ended', p_org USING ERRCODE = 'H9002';
    END IF;
    gone := public.tenant_wipe(p_org, p_epoch, greatest(p_at_most, 1));
    IF gone = 0 THEN
        DELETE FROM public.tenants WHERE org_id = p_org AND epoch = p_epoch AND state = 'moved';
    END IF;
    RETURN gone;
END $$;
REVOKE ALL ON FUNCTION tenant_drop_copy(uuid, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_drop_copy(uuid, bigint, integer) TO hal9_app;
