SELECT 'term' AS part, json_object(
    'account_id', account_id, 'order_id', order_id, 'term_index', term_index, 'anchor_us', anchor_us,
    'first_month', first_month, 'months', months, 'price_us', price_us, 'additional_licenses',
    additional_licenses, 'first_issuance_us', first_issuance_us, 'sold_json', sold_json, 'names_json',
    names_json, 'kept_servers_json', kept_servers_json, 'bought_us', bought_us
) AS cells FROM order_term
WHERE {of_orders}
UNION ALL
SELECT 'name', json_object(
    'account_id', account_id, 'order_id', order_id, 'name', name
) FROM order_name
WHERE {of_orders}
UNION ALL
SELECT 'change', json_object(
    'account_id', account_id, 'order_id', order_id, 'progress', progress, 'added_json', added_json,
    'removed_json', removed_json, 'charged_standard', charged_standard, 'charged_wildcard', charged_wildcard,
    'accept_us', accept_us, 'operation_id', operation_id, 'invoice_id', invoice_id, 'charged_minor',
    charged_minor, 'currency', currency, 'term_index', term_index, 'next_standard', next_standard,
    'next_wildcard', next_wildcard, 'next_invoice_id', next_invoice_id, 'next_minor', next_minor, 'in_next_term', in_next_term,
    'charged_converted', charged_converted, 'next_converted', next_converted,
    'common_name', common_name
) FROM domain_change
WHERE {of_orders}
