SELECT license_id, version, as_of_us FROM license_fence WHERE license_id IN ({licenses.license_id})
