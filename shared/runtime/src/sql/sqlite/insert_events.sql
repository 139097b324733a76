INSERT INTO outbox
    (event_id, type, resource_id, account_id, time_us, caller, request_id, method, why, outcome, data)
SELECT value ->> 'event_id', value ->> 'type', value ->> 'resource_id', value ->> 'account_id', value ->>
    'time_us', value ->> 'caller', value ->> 'request_id', value ->> 'method', value ->> 'why', value ->>
    'outcome', value ->> 'data'
FROM json_each($1)
