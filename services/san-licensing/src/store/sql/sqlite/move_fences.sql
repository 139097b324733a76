UPDATE license_fence
SET version = license_fence.version + 1, as_of_us = MAX(license_fence.as_of_us, licenses.now_us)
FROM {licenses}
WHERE license_fence.license_id = licenses.license_id
RETURNING license_id, version, as_of_us
