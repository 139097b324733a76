INSERT INTO event
    (position, event_id, type, resource_id, account_id, time_us, caller, request_id, method, why, outcome,
    data, chain_hash)
SELECT given.value ->> 'position', event_id, outbox.type, resource_id, account_id, time_us, caller, request_id,
    method, why, outcome, data, unhex(given.value ->> 'hash')
FROM json_each($1) AS given
JOIN outbox ON outbox.id = given.value ->> 'id'
