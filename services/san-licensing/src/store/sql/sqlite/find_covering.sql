-- Each licence as of the wanted instant, or of its last decision if another instance's clock was ahead (T-5).
SELECT wanted.position,
    (SELECT license.license_id FROM license_product
        JOIN license ON license.license_id = license_product.license_id
        JOIN license_fence ON license_fence.license_id = license.license_id
        WHERE license_product.account_id = wanted.account_id
            AND license_product.product_id = wanted.product_id
            AND progress = 'ACTIVE' AND start_us <= MAX(wanted.now_us, as_of_us)
            AND end_us > MAX(wanted.now_us, as_of_us)) AS by_product,
    license.license_id AS by_reservation,
    COALESCE(progress = 'ACTIVE' AND start_us <= MAX(wanted.now_us, as_of_us)
        AND end_us > MAX(wanted.now_us, as_of_us), FALSE) AS reservation_runs
FROM {wanted}
LEFT JOIN decision ON decision.decision_id = wanted.reservation_id AND decision.state <> 'DENIED'
LEFT JOIN license
    ON license.license_id = decision.license_id AND license.account_id = wanted.account_id
LEFT JOIN license_fence ON license_fence.license_id = license.license_id
