-- Splits the text into lines by way of a JSON array: the line breaks become DELETE, which JSON does not
-- escape, and which no SAN contains. An empty text, of a certificate without SANs, would become one
-- empty element (SL-1).
INSERT INTO certificate_san (account_id, license_id, name, certificate_id, is_wildcard, record_us, until_us)
SELECT counted.account_id, counted.license_id, name.value, counted.certificate_id, name.value LIKE 'd:*.%',
    counted.record_us, counted.until_us
FROM {counted}, json_each('[' || replace(
        json_quote(replace(counted.names, char(10), char(127))), char(127), '","'
    ) || ']') AS name
WHERE counted.names <> ''
