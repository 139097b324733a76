SELECT 'term' AS part, row_to_json(order_term)::TEXT AS cells FROM order_term
WHERE {of_orders}
UNION ALL
SELECT 'name', row_to_json(order_name)::TEXT FROM order_name
WHERE {of_orders}
UNION ALL
SELECT 'change', row_to_json(domain_change)::TEXT FROM domain_change
WHERE {of_orders}
