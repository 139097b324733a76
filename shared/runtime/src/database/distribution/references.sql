SELECT
    quote_literal(format('%I.%I', nspname, made.relname)) AS of_table,
    quote_literal(format('%I.%I', nspname, named.relname)) AS to_table
FROM pg_constraint
JOIN pg_namespace ON pg_namespace.oid = connamespace
JOIN pg_class AS made ON made.oid = conrelid
JOIN pg_class AS named ON named.oid = confrelid
WHERE contype = 'f' AND nspname = $1 AND conrelid <> confrelid AND conparentid = 0
