-- An index with more entries than {most} is not counted to its end.
SELECT wanted.license_id
FROM {wanted}
WHERE EXISTS (
    SELECT 1 FROM certificate WHERE certificate.license_id = wanted.license_id LIMIT 1 OFFSET {most}
)
