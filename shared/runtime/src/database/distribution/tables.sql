SELECT
    quote_literal(format('%I.%I', nspname, relname)) AS name,
    EXISTS (
        SELECT 1 FROM pg_attribute WHERE attrelid = made.oid AND attname = 'account_id' AND NOT attisdropped
    ) AND NOT EXISTS (
        SELECT 1 FROM pg_index WHERE indrelid = made.oid AND indisunique AND NOT EXISTS (
            SELECT 1 FROM pg_attribute
            WHERE attrelid = indrelid AND attname = 'account_id' AND attnum = ANY (indkey[0:indnkeyatts - 1])
        )
    ) AS is_of_accounts,
    placed.distribution_column, placed.colocation_group
FROM pg_class AS made
JOIN pg_namespace ON pg_namespace.oid = relnamespace
LEFT JOIN ({placements}) AS placed ON placed.table_oid = made.oid
WHERE nspname = $1 AND relkind IN ('r', 'p') AND NOT relispartition
ORDER BY relname
