-- For each certificate the licence of its product, and the one that its reservation was granted under. Each as of
-- the wanted instant, or of the licence's last decision if another instance's clock was ahead (T-5).
SELECT wanted.position, FALSE AS is_reserved, license.license_id, TRUE AS is_active
FROM {wanted}
JOIN license_product
    ON license_product.account_id = wanted.account_id AND license_product.product_id = wanted.product_id
JOIN license
    ON license.account_id = license_product.account_id AND license.license_id = license_product.license_id
JOIN license_fence AS fence
    ON fence.account_id = license.account_id AND fence.license_id = license.license_id
WHERE progress = 'ACTIVE' AND start_us <= MAX(wanted.now_us, as_of_us)
    AND end_us > MAX(wanted.now_us, as_of_us)
UNION ALL
SELECT wanted.position, TRUE, license.license_id,
    progress = 'ACTIVE' AND start_us <= MAX(wanted.now_us, as_of_us)
        AND end_us > MAX(wanted.now_us, as_of_us)
FROM {wanted}
JOIN decision
    ON decision.account_id = wanted.account_id AND decision.decision_id = wanted.reservation_id
    AND decision.state <> 'DENIED'
JOIN license
    ON license.account_id = decision.account_id AND license.license_id = decision.license_id
JOIN license_fence AS fence
    ON fence.account_id = license.account_id AND fence.license_id = license.license_id
