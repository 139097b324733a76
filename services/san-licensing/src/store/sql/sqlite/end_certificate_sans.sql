-- Splits the text into lines by way of a JSON array: the line breaks become DELETE, which JSON does not
-- escape, and which no SAN contains.
UPDATE certificate_san SET until_us = MIN(certificate_san.until_us, ended.time_us)
FROM {ended}, json_each('[' || replace(
        json_quote(replace(ended.names, char(10), char(127))), char(127), '","'
    ) || ']') AS of_certificate
WHERE certificate_san.account_id = ended.account_id AND certificate_san.license_id = ended.license_id
    AND certificate_san.name = of_certificate.value
    AND certificate_san.certificate_id = ended.certificate_id
