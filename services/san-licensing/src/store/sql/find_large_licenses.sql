-- An index with more entries than {most} is not counted to its end. A divided store counts beside a row of its own only,
-- not beside the wanted ones, so it counts beside the fence.
SELECT fence.account_id, fence.license_id
FROM {wanted}
JOIN license_fence AS fence ON fence.account_id = wanted.account_id AND fence.license_id = wanted.license_id
WHERE EXISTS (
    SELECT 1 FROM certificate
    WHERE certificate.account_id = fence.account_id AND certificate.license_id = fence.license_id
    LIMIT 1 OFFSET {most}
)
