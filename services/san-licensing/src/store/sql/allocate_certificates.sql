-- Only certificates that are still where they were read; otherwise another instance allocated them first.
UPDATE certificate
SET license_id = allocated.license_id, version = allocated.version, allocate_us = allocated.allocate_us
FROM {allocated}
WHERE certificate.account_id = allocated.account_id
    AND certificate.certificate_id = allocated.certificate_id
    AND COALESCE(certificate.license_id, '') = allocated.from_license_id
