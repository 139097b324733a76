CREATE INDEX quote_unspent ON quote (quote_id) WHERE invoice_id IS NULL;
