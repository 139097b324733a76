WITH taken AS (
    INSERT INTO number_series (seller, series, last_number) VALUES ($3, $4, 1)
    ON CONFLICT (seller, series) DO UPDATE SET last_number = number_series.last_number + 1
    RETURNING last_number
), issued AS (
    INSERT INTO invoice (account_id, invoice_id, seller, number, quote_id, resource_id, term_index,
        currency, total_minor, credited_minor, held_minor, state, issued_us, paid_minor, returned_minor,
        due_us, line_bytes, accept_us)
    SELECT $1, $2, $3, last_number, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $21 FROM taken
), lines AS (
    INSERT INTO invoice_line (account_id, invoice_id, line_number, amount_minor, credited_minor,
        held_minor, line)
    SELECT $1, $2, line_number, amount_minor, 0, 0, line
    FROM unnest($18::INTEGER[], $19::BIGINT[], $20::TEXT[]) AS line (line_number, amount_minor, line)
), charged AS (
    UPDATE quote SET invoice_id = $2 WHERE quote_id = $5
)
SELECT last_number FROM taken
