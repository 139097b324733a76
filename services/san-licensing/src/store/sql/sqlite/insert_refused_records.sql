INSERT INTO refused_record
    (feed_id, sequence, record_index, refusal, reasons, content, content_bytes, refuse_us)
SELECT $2, $3, value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3), value ->> 4, $4
FROM json_each($1)
