-- A run goes on if its process made the last move. A fence keeps 32 runs.
UPDATE license_fence AS fence
SET version = fence.version + 1, as_of_us = GREATEST(fence.as_of_us, moves.now_us),
    lineage = CASE
        WHEN fence.version = moves.own_version AND substr(fence.lineage, 1, 16) = moves.own_nonce
        THEN fence.lineage
        ELSE substr(
            moves.nonce || lpad(to_hex(fence.version + 1), 16, '0') || fence.lineage, 1, 1024
        )
    END
FROM {moves}
WHERE fence.account_id = moves.account_id AND fence.license_id = moves.license_id
RETURNING fence.account_id, fence.license_id, fence.version, fence.lineage, fence.as_of_us
