UPDATE certificate
SET until_us = LEAST(certificate.until_us, revoked.revoke_us), revoke_us = revoked.revoke_us,
    revoke_reason = revoked.revoke_reason, version = revoked.version, ca_revoke_us = revoked.ca_revoke_us
FROM {revoked}
WHERE certificate.account_id = revoked.account_id AND certificate.certificate_id = revoked.certificate_id
