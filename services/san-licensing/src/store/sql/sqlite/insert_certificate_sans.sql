INSERT INTO certificate_san (license_id, name, certificate_id, is_wildcard, record_us, until_us)
SELECT given.value ->> 'l', name.value, given.value ->> 'c', name.value LIKE 'd:*.%', given.value ->> 'r',
    given.value ->> 'u'
FROM json_each($1) AS given, json_each(given.value, '$.m') AS name
WHERE given.value ->> 'l' IS NOT NULL
