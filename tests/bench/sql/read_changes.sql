SELECT json_build_object(
    'keys', (
        SELECT json_object_agg(place, names) FROM (
            SELECT nspname || '.' || relname AS place, json_agg(attname) AS names
            FROM pg_index
            JOIN pg_class ON pg_class.oid = indrelid
            JOIN pg_namespace ON pg_namespace.oid = relnamespace
            JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
            -- The outbox has no primary key; its only index is that of its ids.
            WHERE (indisprimary OR relname = 'outbox') AND nspname IN ('billing', 'orders', 'san_licensing')
            GROUP BY place
        ) AS key
    ),
    'depths', (
        WITH RECURSIVE reference AS (
            SELECT conrelid AS child, confrelid AS parent FROM pg_constraint
            WHERE contype = 'f' AND conrelid <> confrelid
        ), reached (place, depth) AS (
            SELECT child, 1 FROM reference
            UNION
            SELECT child, depth + 1 FROM reached JOIN reference ON parent = place
        )
        SELECT json_object_agg(nspname || '.' || relname, depth) FROM (
            SELECT place, MAX(depth) AS depth FROM reached GROUP BY place
        ) AS deepest
        JOIN pg_class ON pg_class.oid = place
        JOIN pg_namespace ON pg_namespace.oid = relnamespace
    ),
    'changes', (
        SELECT json_agg(
            json_build_object('transaction', transaction, 'place', place, 'before', before, 'after', after)
            ORDER BY number
        )
        FROM bench.change
    )
)::TEXT
