-- The hash of the schema's name keeps services that share a database apart.
SELECT pg_advisory_xact_lock(hashtextextended(id, hashtext(current_schema())::bigint))::text
FROM (SELECT id FROM json_array_elements_text($1::json) AS each (id) ORDER BY id) AS ordered
