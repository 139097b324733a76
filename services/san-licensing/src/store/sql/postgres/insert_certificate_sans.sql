INSERT INTO certificate_san (account_id, license_id, name, certificate_id, is_wildcard, record_us, until_us)
SELECT counted.account_id, counted.license_id, name, counted.certificate_id, (name LIKE 'd:*.%')::INTEGER,
    counted.record_us, counted.until_us
FROM {counted}, string_to_table(counted.names, E'\n') AS name
