CREATE INDEX certificate_by_serial ON certificate (serial_hex);
CREATE INDEX certificate_by_fingerprint ON certificate (fingerprint_sha256);
CREATE INDEX order_invoice_by_id ON order_invoice (invoice_id);
CREATE INDEX event_by_request ON event (request_id);
