INSERT INTO outbox
    (event_id, type, resource_id, account_id, time_us, caller, request_id, method, why, outcome, data)
SELECT event_id, type, resource_id, account_id, time_us, caller, request_id, method, why, outcome, data
FROM json_to_recordset($1::json)
    AS given(event_id TEXT, type TEXT, resource_id TEXT, account_id TEXT, time_us BIGINT, caller TEXT,
    request_id TEXT, method TEXT, why TEXT, outcome TEXT, data TEXT)
