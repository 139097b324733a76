SELECT wanted.value ->> 0 AS position,
    (SELECT license.license_id FROM license_product
        JOIN license ON license.license_id = license_product.license_id
        WHERE license_product.account_id = wanted.value ->> 1
            AND license_product.product_id = wanted.value ->> 2
            AND progress = 'ACTIVE' AND start_us <= wanted.value ->> 4
            AND end_us > wanted.value ->> 4) AS by_product,
    license.license_id AS by_reservation,
    COALESCE(progress = 'ACTIVE' AND start_us <= wanted.value ->> 4 AND end_us > wanted.value ->> 4, FALSE)
        AS reservation_runs
FROM json_each($1) AS wanted
LEFT JOIN decision ON decision_id = wanted.value ->> 3 AND decision.state <> 'DENIED'
LEFT JOIN license ON license.license_id = decision.license_id AND license.account_id = wanted.value ->> 1
