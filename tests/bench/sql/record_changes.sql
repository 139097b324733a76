-- Records every inserted, updated or deleted row with its transaction, except moves into the event log.
CREATE SCHEMA bench;
CREATE TABLE bench.change (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction BIGINT NOT NULL,
    place TEXT NOT NULL,
    before JSONB,
    after JSONB
);
CREATE FUNCTION bench.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME <> 'outbox' OR TG_OP = 'INSERT' THEN
        INSERT INTO bench.change (transaction, place, before, after)
        VALUES (txid_current(), TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, to_jsonb(OLD), to_jsonb(NEW));
    END IF;
    RETURN NULL;
END
$$;
DO $$
DECLARE
    place TEXT;
BEGIN
    FOR place IN
        SELECT schemaname || '.' || tablename FROM pg_tables
        WHERE schemaname IN ('billing', 'orders', 'san_licensing') AND tablename NOT IN ('event', 'seaql_migrations')
    LOOP
        EXECUTE 'CREATE TRIGGER bench AFTER INSERT OR UPDATE OR DELETE ON ' || place
            || ' FOR EACH ROW EXECUTE FUNCTION bench.note()';
    END LOOP;
END
$$;
