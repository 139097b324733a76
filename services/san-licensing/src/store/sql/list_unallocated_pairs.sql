SELECT account_id, product_id FROM certificate
WHERE license_id IS NULL AND (account_id, product_id) > ({after_account_id}, {after_product_id})
ORDER BY account_id, product_id LIMIT {limit}
