-- Divides the tables of accounts in the current schema into parts by account, as an engine over several nodes
-- does: a unique key or a foreign key without the account fails here.
DO $$
DECLARE
    undivided CONSTANT TEXT[] := ARRAY[
        -- BL-2 counts over all accounts, and so do the positions of the log.
        'event', 'peer_store', 'replay', 'seaql_migrations', 'store',
        -- The catalogue, number series and seals of Billing.
        'number_series', 'price_list', 'product', 'product_version', 'seal', 'seller',
        -- A feed reports certificates of many accounts.
        'feed', 'refused_record',
        -- Positions in the logs of other services.
        'bookmark', 'following'
    ];
    foreign_keys TEXT[] := ARRAY[]::TEXT[];
    found RECORD;
    part INTEGER;
BEGIN
    FOR found IN
        SELECT conrelid::regclass::text AS name, conname, pg_get_constraintdef(oid) AS definition
        FROM pg_constraint
        WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
    LOOP
        foreign_keys := foreign_keys
            || format('ALTER TABLE %s ADD CONSTRAINT %I %s', found.name, found.conname, found.definition);
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.name, found.conname);
    END LOOP;
    FOR found IN
        SELECT tablename AS name FROM pg_tables
        WHERE schemaname = current_schema() AND NOT tablename = ANY (undivided)
    LOOP
        EXECUTE format('ALTER TABLE %I RENAME TO undivided', found.name);
        EXECUTE format(
            'CREATE TABLE %I (LIKE undivided INCLUDING ALL) PARTITION BY HASH (account_id)', found.name);
        FOR part IN 0..3 LOOP
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS 4, REMAINDER %s)',
                found.name || '_part_' || part, found.name, part);
        END LOOP;
        EXECUTE 'DROP TABLE undivided';
    END LOOP;
    FOR part IN 1..coalesce(array_length(foreign_keys, 1), 0) LOOP
        EXECUTE foreign_keys[part];
    END LOOP;
END
$$
