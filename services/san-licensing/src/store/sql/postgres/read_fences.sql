SELECT license_id, version, as_of_us FROM license_fence
WHERE license_id IN (SELECT json_array_elements_text($1::json))
