SELECT license_fence.account_id, license_fence.license_id, version, lineage, as_of_us
FROM {licenses}
JOIN license_fence
    ON license_fence.account_id = licenses.account_id AND license_fence.license_id = licenses.license_id
