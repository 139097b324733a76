-- Each licence as of the wanted instant, or of what was decided under it last where another instance's
-- clock was ahead (T-5).
SELECT position,
    (SELECT license.license_id FROM license_product
        JOIN license ON license.license_id = license_product.license_id
        JOIN license_fence ON license_fence.license_id = license.license_id
        WHERE license_product.account_id = wanted.a AND license_product.product_id = wanted.p
            AND progress = 'ACTIVE' AND start_us <= GREATEST(wanted.t, as_of_us)
            AND end_us > GREATEST(wanted.t, as_of_us)) AS by_product,
    license.license_id AS by_reservation,
    COALESCE(progress = 'ACTIVE' AND start_us <= GREATEST(wanted.t, as_of_us)
        AND end_us > GREATEST(wanted.t, as_of_us), FALSE) AS reservation_runs
FROM unnest($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::BIGINT[]) AS wanted(position, a, p, i, t)
LEFT JOIN decision ON decision_id = wanted.i AND decision.state <> 'DENIED'
LEFT JOIN license ON license.license_id = decision.license_id AND license.account_id = wanted.a
LEFT JOIN license_fence ON license_fence.license_id = license.license_id
