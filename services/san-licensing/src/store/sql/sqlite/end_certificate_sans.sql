-- No name has a control character, and JSON writes DELETE, one of them, as itself: through it the
-- lines of a text become the elements of an array.
UPDATE certificate_san SET until_us = MIN(until_us, given.value ->> 3)
FROM json_each($1) AS given, json_each('[' || replace(
        json_quote(replace(given.value ->> 2, char(10), char(127))), char(127), '","'
    ) || ']') AS of_certificate
WHERE certificate_san.license_id = given.value ->> 0 AND certificate_san.name = of_certificate.value
    AND certificate_san.certificate_id = given.value ->> 1
