-- A run goes on if its process made the last move. A fence keeps 32 runs.
UPDATE license_fence
SET version = license_fence.version + 1, as_of_us = MAX(license_fence.as_of_us, moves.now_us),
    lineage = CASE
        WHEN license_fence.version = moves.own_version
            AND substr(license_fence.lineage, 1, 16) = moves.own_nonce
        THEN license_fence.lineage
        ELSE substr(
            moves.nonce || printf('%016x', license_fence.version + 1) || license_fence.lineage, 1, 1024
        )
    END
FROM {moves}
WHERE license_fence.account_id = moves.account_id AND license_fence.license_id = moves.license_id
RETURNING account_id, license_id, version, lineage, as_of_us
