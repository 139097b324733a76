SELECT term.account_id, term.license_id, term_index, anchor_us, first_month, months, sold_json, products_json, sold_us,
    options_json, raises_json, bought_late_us
FROM {licenses}
JOIN license_term AS term
    ON term.account_id = licenses.account_id AND term.license_id = licenses.license_id
ORDER BY term.account_id, term.license_id, term_index
