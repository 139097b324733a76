SELECT license_id, version, lineage, as_of_us FROM license_fence WHERE license_id = ANY({licenses.license_id})
