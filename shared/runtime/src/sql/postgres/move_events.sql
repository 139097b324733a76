WITH moved AS (
    DELETE FROM outbox
    USING json_to_recordset($1::json) AS given(account_id TEXT, id BIGINT, position BIGINT, hash TEXT)
    WHERE outbox.account_id = given.account_id AND outbox.id = given.id
    RETURNING given.position, given.hash, outbox.*
)
INSERT INTO event
    (position, event_id, type, resource_id, account_id, time_us, caller, request_id, method, why, outcome,
    data, chain_hash)
SELECT position, event_id, type, resource_id, account_id, time_us, caller, request_id, method, why, outcome,
    data, decode(hash, 'hex')
FROM moved
