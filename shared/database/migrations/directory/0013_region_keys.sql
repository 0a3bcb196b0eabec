-- Whether anything was ever sealed in a region: where no organisation has a key, no master key is missing either.

GRANT CREATE ON SCHEMA directory TO hal9_definer;
CREATE FUNCTION directory.region_has_data_keys(name text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT EXISTS (SELECT 1 FROM directory.data_keys WHERE region = name) $$;
REVOKE ALL ON FUNCTION directory.region_has_data_keys(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory.region_has_data_keys(text) TO hal9_app;
ALTER FUNCTION directory.region_has_data_keys(text) OWNER TO hal9_definer;
REVOKE CREATE ON SCHEMA directory FROM hal9_definer;
