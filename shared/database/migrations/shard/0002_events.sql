-- What was received (inbox), what is to be sent (outbox), and what nobody could take (dead letters).

-- One row for each event that a function has taken. The function is part of the key: several may take the same event, each once.
CREATE TABLE inbox (
    org_id      uuid NOT NULL,
    consumer    text NOT NULL,
    source      text NOT NULL,
    event_id    text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, consumer, source, event_id)
);
CREATE INDEX inbox_received_at ON inbox (received_at);
ALTER TABLE inbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE inbox FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON inbox TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
CREATE POLICY forgetting ON inbox TO hal9_definer USING (true);
GRANT SELECT, INSERT ON inbox TO hal9_app;
GRANT SELECT, DELETE ON inbox TO hal9_definer;

-- Events that wait for the broker. A row is claimed by the relay that publishes it, and deleted when the broker has taken it.
-- recorded_at is the shard's clock, so that the order does not depend on the clocks of the functions.
CREATE TABLE outbox (
    org_id        uuid NOT NULL,
    id            uuid NOT NULL,
    event_type    text NOT NULL,
    partition_key text,
    event         bytea NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_until timestamptz,
    attempts      integer NOT NULL DEFAULT 0,
    PRIMARY KEY (org_id, id)
);
CREATE INDEX outbox_recorded_at ON outbox (recorded_at);
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON outbox TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
CREATE POLICY leftovers ON outbox FOR SELECT TO hal9_definer USING (true);
GRANT SELECT, INSERT, UPDATE (claimed_until, attempts), DELETE ON outbox TO hal9_app;
GRANT SELECT ON outbox TO hal9_definer;

-- Events that could not be delivered, or that the broker refused. One row for each event and destination: a redriven one that fails again comes back.
CREATE TABLE dead_letters (
    org_id       uuid NOT NULL,
    id           uuid NOT NULL,
    source       text NOT NULL,
    event_id     text NOT NULL,
    event_type   text NOT NULL,
    event        bytea NOT NULL,
    destination  text NOT NULL,
    error_code   integer,
    error        text NOT NULL DEFAULT '',
    attempts     integer NOT NULL DEFAULT 1 CHECK (attempts > 0),
    received_at  timestamptz NOT NULL DEFAULT now(),
    redriven_at  timestamptz,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, destination, source, event_id)
);
ALTER TABLE dead_letters ENABLE ROW LEVEL SECURITY;
ALTER TABLE dead_letters FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON dead_letters TO hal9_app
    USING (org_id = current_setting('hal9.org_id', true)::uuid);
GRANT SELECT, INSERT, UPDATE (event, error_code, error, attempts, received_at, redriven_at) ON dead_letters TO hal9_app;

-- The sweep asks which organisations have something left: their ids and nothing else. It then works as each of them.
CREATE FUNCTION outbox_leftovers(older_than interval, at_most integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT org_id FROM public.outbox
        WHERE recorded_at < clock_timestamp() - older_than AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
        GROUP BY org_id ORDER BY min(recorded_at) LIMIT at_most
    $$;
REVOKE ALL ON FUNCTION outbox_leftovers(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_leftovers(interval, integer) TO hal9_app;
ALTER FUNCTION outbox_leftovers(interval, integer) OWNER TO hal9_definer;

-- Takes away what was seen so long ago that it cannot come again. Bounded from below: a mistaken caller cannot undo deduplication.
CREATE FUNCTION inbox_forget(older_than interval, at_most integer) RETURNS integer
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH old AS (
            SELECT ctid FROM public.inbox
            WHERE received_at < now() - greatest(older_than, interval '1 day') ORDER BY received_at LIMIT at_most
        ), gone AS (
            DELETE FROM public.inbox WHERE ctid = ANY (ARRAY(SELECT ctid FROM old)) RETURNING 1
        )
        SELECT count(*)::integer FROM gone
    $$;
REVOKE ALL ON FUNCTION inbox_forget(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION inbox_forget(interval, integer) TO hal9_app;
ALTER FUNCTION inbox_forget(interval, integer) OWNER TO hal9_definer;
