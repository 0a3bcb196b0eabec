-- A step of several phases says which engine made it in all of them: a model's part shows, whatever the later phases did.

CREATE FUNCTION neuron_keep_engine() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.revision <> OLD.revision THEN
        NEW.engine := NULL;
        NEW.note := NULL;
    ELSE
        NEW.engine := CASE WHEN NEW.engine = 'builtin' THEN OLD.engine ELSE NEW.engine END;
        NEW.note := coalesce(NEW.note, OLD.note);
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER keep_engine BEFORE UPDATE OF engine, revision ON steps
    FOR EACH ROW WHEN (OLD.engine IS NOT NULL)
    EXECUTE FUNCTION neuron_keep_engine();
