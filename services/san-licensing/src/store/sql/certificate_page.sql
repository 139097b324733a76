-- The first comparison bounds the index; the second orders within a version.
SELECT license_id, certificate_id, version, names, until_us
FROM certificate
WHERE account_id = {account_id} AND license_id = {license_id} AND version <= {up_to}
    AND version >= {after_version} AND (version, certificate_id) > ({after_version}, {after_id})
ORDER BY version, certificate_id
LIMIT {most}
