-- Whoever makes a key asks what its organisation has become part of, and holds its row until the key can be seen (shared/apikeys): so a merge,
-- which locks the row and then ends all keys in the same transaction, misses none, and none is made after it.

GRANT CREATE ON SCHEMA directory TO hal9_definer;

CREATE POLICY key_making ON directory.organisations TO hal9_definer
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
-- To lock a row takes the right to change a column of it.
GRANT SELECT (org_id, merged_into), UPDATE (merged_into) ON directory.organisations TO hal9_definer;
CREATE FUNCTION directory.merged_into_held() RETURNS uuid
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT merged_into FROM directory.organisations
        WHERE org_id = current_setting('hal9.org_id', true)::uuid FOR KEY SHARE
    $$;
REVOKE ALL ON FUNCTION directory.merged_into_held() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory.merged_into_held() TO hal9_app;
ALTER FUNCTION directory.merged_into_held() OWNER TO hal9_definer;

REVOKE CREATE ON SCHEMA directory FROM hal9_definer;
