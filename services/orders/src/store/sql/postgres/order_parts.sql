SELECT 'term' AS part, row_to_json(order_term)::TEXT AS cells FROM order_term
WHERE order_id = ANY (ARRAY (SELECT json_array_elements_text($1::JSON)))
UNION ALL
SELECT 'name', row_to_json(order_name)::TEXT FROM order_name
WHERE order_id = ANY (ARRAY (SELECT json_array_elements_text($1::JSON)))
UNION ALL
SELECT 'change', row_to_json(domain_change)::TEXT FROM domain_change
WHERE order_id = ANY (ARRAY (SELECT json_array_elements_text($1::JSON)))
