-- No name has a control character, and JSON writes DELETE, one of them, as itself: through it the
-- lines of a text become the elements of an array. A text without lines would become one empty
-- element, and a certificate without SANs has none (SL-1).
INSERT INTO certificate_san (license_id, name, certificate_id, is_wildcard, record_us, until_us)
SELECT counted.license_id, name.value, counted.certificate_id, name.value LIKE 'd:*.%', counted.record_us,
    counted.until_us
FROM {counted}, json_each('[' || replace(
        json_quote(replace(counted.names, char(10), char(127))), char(127), '","'
    ) || ']') AS name
WHERE counted.names <> ''
