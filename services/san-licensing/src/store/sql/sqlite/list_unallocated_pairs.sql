SELECT DISTINCT account_id, product_id FROM certificate
WHERE license_id IS NULL AND (account_id, product_id) > ($1, $2)
ORDER BY account_id, product_id LIMIT $3
