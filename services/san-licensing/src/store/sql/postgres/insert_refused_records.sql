INSERT INTO refused_record
    (feed_id, sequence, record_index, refusal, reasons, content, content_bytes, refuse_us)
SELECT $6, $7, i, w, r, c, b, $8
FROM unnest($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::BYTEA[], $5::BIGINT[]) AS given(i, w, r, c, b)
