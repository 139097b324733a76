SELECT license.account_id, license.license_id, progress, products_json, asked_start_us, start_us, end_us, renewing,
    valid_until_us, cancel_us, invoices_json, revision, create_us, decision_us
FROM {licenses}
JOIN license
    ON license.account_id = licenses.account_id AND license.license_id = licenses.license_id
