-- Each licence as of the wanted instant, or of what was decided under it last where another instance's
-- clock was ahead (T-5).
SELECT wanted.value ->> 0 AS position,
    (SELECT license.license_id FROM license_product
        JOIN license ON license.license_id = license_product.license_id
        JOIN license_fence ON license_fence.license_id = license.license_id
        WHERE license_product.account_id = wanted.value ->> 1
            AND license_product.product_id = wanted.value ->> 2
            AND progress = 'ACTIVE' AND start_us <= MAX(wanted.value ->> 4, as_of_us)
            AND end_us > MAX(wanted.value ->> 4, as_of_us)) AS by_product,
    license.license_id AS by_reservation,
    COALESCE(progress = 'ACTIVE' AND start_us <= MAX(wanted.value ->> 4, as_of_us)
        AND end_us > MAX(wanted.value ->> 4, as_of_us), FALSE) AS reservation_runs
FROM json_each($1) AS wanted
LEFT JOIN decision ON decision_id = wanted.value ->> 3 AND decision.state <> 'DENIED'
LEFT JOIN license ON license.license_id = decision.license_id AND license.account_id = wanted.value ->> 1
LEFT JOIN license_fence ON license_fence.license_id = license.license_id
