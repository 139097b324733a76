-- Only unallocated certificates; otherwise another instance allocated them first.
UPDATE certificate SET product_id = corrected.product_id
FROM {corrected}
WHERE certificate.account_id = corrected.account_id
    AND certificate.certificate_id = corrected.certificate_id AND certificate.license_id IS NULL
