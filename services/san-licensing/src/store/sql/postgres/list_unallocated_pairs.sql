-- Skips from pair to pair on the index, however many certificates a pair has.
WITH RECURSIVE pair(a, p) AS (
    (
        SELECT account_id, product_id FROM certificate
        WHERE license_id IS NULL AND (account_id, product_id) > ({after_account_id}, {after_product_id})
        ORDER BY account_id, product_id LIMIT 1
    )
    UNION ALL
    SELECT further.account_id, further.product_id FROM pair, LATERAL (
        SELECT account_id, product_id FROM certificate
        WHERE license_id IS NULL AND (account_id, product_id) > (pair.a, pair.p)
        ORDER BY account_id, product_id LIMIT 1
    ) AS further
)
SELECT a AS account_id, p AS product_id FROM pair LIMIT {limit}
