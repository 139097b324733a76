SELECT json_build_object(
    'keys', (
        SELECT json_object_agg(place, names) FROM (
            SELECT nspname || '.' || relname AS place, json_agg(attname) AS names
            FROM pg_index
            JOIN pg_class ON pg_class.oid = indrelid
            JOIN pg_namespace ON pg_namespace.oid = relnamespace
            JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
            WHERE indisprimary AND nspname IN ('billing', 'orders', 'san_licensing')
            GROUP BY place
        ) AS key
    ),
    'changes', (
        SELECT json_agg(
            json_build_object('transaction', transaction, 'place', place, 'before', before, 'after', after)
            ORDER BY number
        )
        FROM bench.change
    )
)::TEXT
