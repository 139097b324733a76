-- Locks in the order of ids, to avoid deadlocks between instances.
WITH locked AS (
    SELECT license_id FROM license_fence WHERE license_id = ANY({licenses.license_id})
    ORDER BY license_id FOR UPDATE
)
UPDATE license_fence AS fence
SET version = fence.version + 1, as_of_us = GREATEST(fence.as_of_us, licenses.now_us)
FROM locked, {licenses}
WHERE fence.license_id = locked.license_id AND licenses.license_id = locked.license_id
RETURNING fence.license_id, fence.version, fence.as_of_us
