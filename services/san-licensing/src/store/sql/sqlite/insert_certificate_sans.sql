-- No name has a control character, and JSON writes DELETE, one of them, as itself: through it the
-- lines of a text become the elements of an array. A text without lines would become one empty
-- element, and a certificate without SANs has none (SL-1).
INSERT INTO certificate_san (license_id, name, certificate_id, is_wildcard, record_us, until_us)
SELECT given.value ->> 0, name.value, given.value ->> 1, name.value LIKE 'd:*.%', given.value ->> 3,
    given.value ->> 4
FROM json_each($1) AS given, json_each('[' || replace(
        json_quote(replace(given.value ->> 2, char(10), char(127))), char(127), '","'
    ) || ']') AS name
WHERE given.value ->> 2 <> ''
