SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

CREATE SCHEMA orders;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE orders.certificate (
    account_id text NOT NULL COLLATE pg_catalog."C",
    certificate_id text NOT NULL COLLATE pg_catalog."C",
    order_id text NOT NULL COLLATE pg_catalog."C",
    chain_pem text NOT NULL,
    fingerprint_sha256 bytea NOT NULL,
    serial_hex text NOT NULL COLLATE pg_catalog."C",
    issuer text NOT NULL,
    subject text NOT NULL,
    common_name text NOT NULL COLLATE pg_catalog."C",
    key_type text NOT NULL,
    names_json text NOT NULL,
    not_before_us bigint NOT NULL,
    not_after_us bigint NOT NULL,
    record_us bigint NOT NULL,
    superseded_us bigint,
    revoke_us bigint,
    to_revoke bigint NOT NULL,
    san_license_id text COLLATE pg_catalog."C",
    san_certificate_id text COLLATE pg_catalog."C",
    sans_returned_us bigint,
    revoke_reason text COLLATE pg_catalog."C"
);

CREATE TABLE orders.certificate_order (
    account_id text NOT NULL COLLATE pg_catalog."C",
    order_id text NOT NULL COLLATE pg_catalog."C",
    product_id text NOT NULL COLLATE pg_catalog."C",
    progress text NOT NULL COLLATE pg_catalog."C",
    revision bigint NOT NULL,
    common_name text NOT NULL COLLATE pg_catalog."C",
    server_software text NOT NULL,
    csr_pem text,
    csr_spki_sha256 bytea,
    term_index bigint NOT NULL,
    end_us bigint NOT NULL,
    issuance_pending_us bigint,
    create_us bigint NOT NULL,
    decision_us bigint NOT NULL,
    delete_us bigint,
    refund bytea,
    san_license_id text COLLATE pg_catalog."C",
    reservation_id text COLLATE pg_catalog."C",
    reissue_us bigint,
    turn_us bigint,
    next_refund bytea,
    refund_in_review bigint DEFAULT 0 NOT NULL,
    CONSTRAINT certificate_order_progress_check CHECK ((progress = ANY (ARRAY['PENDING'::text, 'PAID'::text, 'ISSUED'::text, 'DELETED'::text])))
);

CREATE TABLE orders.domain_change (
    account_id text NOT NULL COLLATE pg_catalog."C",
    order_id text NOT NULL COLLATE pg_catalog."C",
    progress text NOT NULL COLLATE pg_catalog."C",
    added_json text NOT NULL,
    removed_json text NOT NULL,
    charged_standard bigint NOT NULL,
    charged_wildcard bigint NOT NULL,
    accept_us bigint NOT NULL,
    operation_id text COLLATE pg_catalog."C",
    invoice_id text COLLATE pg_catalog."C",
    charged_minor bigint,
    currency text COLLATE pg_catalog."C",
    term_index bigint DEFAULT 0 NOT NULL,
    next_standard bigint DEFAULT 0 NOT NULL,
    next_wildcard bigint DEFAULT 0 NOT NULL,
    next_invoice_id text COLLATE pg_catalog."C",
    next_minor bigint,
    in_next_term bigint DEFAULT 1 NOT NULL,
    CONSTRAINT domain_change_progress_check CHECK ((progress = ANY (ARRAY['CHARGING'::text, 'AWAITING_ISSUANCE'::text])))
);

CREATE TABLE orders.domain_quote (
    account_id text NOT NULL COLLATE pg_catalog."C",
    quote_id text NOT NULL COLLATE pg_catalog."C",
    order_id text NOT NULL COLLATE pg_catalog."C",
    pin text NOT NULL COLLATE pg_catalog."C",
    expire_us bigint NOT NULL,
    quote bytea NOT NULL,
    next_quote bytea,
    sold_json text
);

CREATE TABLE orders.early_revocation (
    san_certificate_id text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL COLLATE pg_catalog."C",
    san_revoke_us bigint NOT NULL,
    caller text NOT NULL,
    method text NOT NULL,
    request_id text NOT NULL
);

CREATE TABLE orders.event (
    "position" bigint NOT NULL,
    event_id text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    resource_id text NOT NULL COLLATE pg_catalog."C",
    account_id text NOT NULL COLLATE pg_catalog."C",
    time_us bigint NOT NULL,
    caller text NOT NULL,
    request_id text NOT NULL,
    method text NOT NULL,
    why text NOT NULL,
    outcome text NOT NULL,
    data text NOT NULL,
    chain_hash bytea NOT NULL
);

CREATE TABLE orders.following (
    source text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL
);

CREATE TABLE orders.operation (
    operation_id text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    resource_id text NOT NULL COLLATE pg_catalog."C",
    account_id text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    step text NOT NULL COLLATE pg_catalog."C",
    state_json text NOT NULL,
    version bigint NOT NULL,
    accepted_us bigint NOT NULL,
    ended_us bigint,
    due_us bigint NOT NULL,
    attempts integer NOT NULL,
    last_error text NOT NULL,
    result bytea,
    CONSTRAINT operation_state_check CHECK ((state = ANY (ARRAY['RUNNING'::text, 'DONE'::text, 'REFUSED'::text])))
);

CREATE TABLE orders.order_invoice (
    account_id text NOT NULL COLLATE pg_catalog."C",
    order_id text NOT NULL COLLATE pg_catalog."C",
    invoice_id text NOT NULL COLLATE pg_catalog."C",
    term_index bigint NOT NULL,
    total_minor bigint NOT NULL,
    currency text NOT NULL COLLATE pg_catalog."C",
    accept_us bigint NOT NULL
);

CREATE TABLE orders.order_name (
    account_id text NOT NULL COLLATE pg_catalog."C",
    order_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE orders.order_term (
    account_id text NOT NULL COLLATE pg_catalog."C",
    order_id text NOT NULL COLLATE pg_catalog."C",
    term_index bigint NOT NULL,
    anchor_us bigint NOT NULL,
    first_month bigint NOT NULL,
    months bigint NOT NULL,
    price_us bigint NOT NULL,
    additional_licenses bigint NOT NULL,
    first_issuance_us bigint,
    sold_json text,
    names_json text,
    kept_servers_json text
);

CREATE TABLE orders.outbox (
    id bigint NOT NULL,
    event_id text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    resource_id text NOT NULL COLLATE pg_catalog."C",
    account_id text NOT NULL COLLATE pg_catalog."C",
    time_us bigint NOT NULL,
    caller text NOT NULL,
    request_id text NOT NULL,
    method text NOT NULL,
    why text NOT NULL,
    outcome text NOT NULL,
    data text NOT NULL
);

ALTER TABLE orders.outbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME orders.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE orders.replay (
    caller text NOT NULL COLLATE pg_catalog."C",
    method text NOT NULL COLLATE pg_catalog."C",
    request_id text NOT NULL COLLATE pg_catalog."C",
    fingerprint bytea NOT NULL,
    outcome text NOT NULL COLLATE pg_catalog."C",
    body bytea,
    operation_id text COLLATE pg_catalog."C",
    recorded_us bigint NOT NULL,
    CONSTRAINT replay_outcome_check CHECK ((outcome = ANY (ARRAY['OPEN'::text, 'ANSWER'::text, 'REFUSAL'::text, 'OPERATION'::text])))
);

CREATE TABLE orders.seaql_migrations (
    version character varying NOT NULL,
    applied_at bigint NOT NULL
);

CREATE TABLE orders.server (
    account_id text NOT NULL COLLATE pg_catalog."C",
    server_id text NOT NULL COLLATE pg_catalog."C",
    order_id text NOT NULL COLLATE pg_catalog."C",
    host_name text NOT NULL,
    server_software text NOT NULL,
    common_name text NOT NULL COLLATE pg_catalog."C",
    is_primary bigint NOT NULL,
    state text NOT NULL COLLATE pg_catalog."C",
    register_us bigint NOT NULL,
    CONSTRAINT server_state_check CHECK ((state = ANY (ARRAY['REGISTERED'::text, 'UNREGISTERED'::text, 'INVALIDATED'::text])))
);

INSERT INTO orders.certificate VALUES
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'crt_01m8kg6x9te10rzw4w2pyp8ndc', 'ord_01m8kg6x30etytgdj4wmfjyj99', '-----BEGIN CERTIFICATE-----
MIIBVTCB+6ADAgECAhQbOHtcSYDEsdwZ5AmEnRz4UoaeWDAKBggqhkjOPQQDAjAf
MR0wGwYDVQQDDBRMaWNldCBUZXN0IEF1dGhvcml0eTAeFw0yNjAxMjkwMDAwMDBa
Fw0yNjAyMjQyMzU5NTlaMBgxFjAUBgNVBAMMDWVuZGVkLmV4YW1wbGUwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAAT8xdeWfSZeZYOE8cYeIAmnTqdNjM+CFTin/LWm
vz4f4f/EX8PQNCNNepy/gpHA5xUWO6G+EmNIkfLmtXN1ChDGoxwwGjAYBgNVHREE
ETAPgg1lbmRlZC5leGFtcGxlMAoGCCqGSM49BAMCA0kAMEYCIQCr3lZi5O/D4zKc
QrkfIUn2IyFblTnyGlNMRm249yv/dwIhAJnGScZBOW8GRdw/iF/FLo9ijg9nQRfM
h3DyqNjf/GnP

MIIBczCCARqgAwIBAgIUJ/GXXe2t8yA7VZsL8TPlXxGhY8UwCgYIKoZIzj0EAwIw
HzEdMBsGA1UEAwwUTGljZXQgVGVzdCBBdXRob3JpdHkwIBcNMjAwMTAxMDAwMDAw
WhgPMjA2MDAxMDEwMDAwMDBaMB8xHTAbBgNVBAMMFExpY2V0IFRlc3QgQXV0aG9y
aXR5MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAER2jUc8/AeHHItf/rYMW25WLR
sMdkUaSBXwKbIJ5kQ4Dgwqg/mZ0UkxAhMWdhd0l/z9vqvVr+c4oEqCwydRAmV6My
MDAwHQYDVR0OBBYEFFLNpJTtZy7xKmQM8oZUCUFjuqbuMA8GA1UdEwEB/wQFMAMB
Af8wCgYIKoZIzj0EAwIDRwAwRAIgTVcmuxudQGuyZZ43EfWhWhsfB8a9I6utGPEf
ibd291cCIAoiiYgEPZPr4IIKC9cmyS17lB8PYxeX0zr30SxcBh4v
', '\x6fa98cbb514a79c19fe5f46569d198c0f82baaa9344f73a141460341e8487bf2', '1b387b5c4980c4b1dc19e409849d1cf852869e58', 'CN=Licet Test Authority', 'CN=ended.example', 'ended.example', 'EC 256', '[{"type":"dNSName","value":"ended.example"}]', 1769644800000000, 1771977599000000, 1769644800000000, NULL, NULL, 0, NULL, NULL, NULL, NULL),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'crt_01m8kg6xk7ewsbaq3sagtqeyjj', 'ord_01m8kg6xc6ekkty4qqrnagaxzc', '-----BEGIN CERTIFICATE-----
MIIBWjCCAQGgAwIBAgIUMkOWM28QW6k5JSS9M5RZ4gET8OwwCgYIKoZIzj0EAwIw
HzEdMBsGA1UEAwwUTGljZXQgVGVzdCBBdXRob3JpdHkwHhcNMjYwMTI5MDAwMDAw
WhcNMjYwNDI4MjM1OTU5WjAbMRkwFwYDVQQDDBByZXZpZXdlZC5leGFtcGxlMFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE3JXleNoSZG9ROhIz5EsFvSvSnSUZYe90
m4zY8eEez78e5wIQ0PdY+tDeHNiF36wjGxOKjs4Tnz4DVQj2vODYP6MfMB0wGwYD
VR0RBBQwEoIQcmV2aWV3ZWQuZXhhbXBsZTAKBggqhkjOPQQDAgNHADBEAiBwWkuq
tV7P7yLk8PSCyOobZ/+sSfHHVAJ1FYOdWKULHAIgdiH86FZP90DfWdtsPW/Gg68x
CMT8l7cdM07wYGDHtn8=

MIIBczCCARqgAwIBAgIUSLlmTwzv2DrvpuRlWPpZpzbLsbMwCgYIKoZIzj0EAwIw
HzEdMBsGA1UEAwwUTGljZXQgVGVzdCBBdXRob3JpdHkwIBcNMjAwMTAxMDAwMDAw
WhgPMjA2MDAxMDEwMDAwMDBaMB8xHTAbBgNVBAMMFExpY2V0IFRlc3QgQXV0aG9y
aXR5MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEedIZr1WDi5mEZb0eforhLRJj
D26MdURcsrA3ypOknX/iNYu9+2D3RmHJCMD0AKJ2ejN2aQMtOEw55FQCsukk8KMy
MDAwHQYDVR0OBBYEFBKgbka+hrhFk7HoQX+qNJjan4wLMA8GA1UdEwEB/wQFMAMB
Af8wCgYIKoZIzj0EAwIDRwAwRAIgR3KkZ3KGql+6xrFZm3jcvRKwY+ECeLPcOMqW
WdR+tJQCIE+BV4dFpgYInY621HfTSZdRfFtjT3T5vYVvW1YmQNDl
', '\xc5b0dc8509070a6513af51fff569ac9c63518552090bfe06567ea29f64a9a813', '324396336f105ba9392524bd339459e20113f0ec', 'CN=Licet Test Authority', 'CN=reviewed.example', 'reviewed.example', 'EC 256', '[{"type":"dNSName","value":"reviewed.example"}]', 1769644800000000, 1777420799000000, 1769644800000000, NULL, 1772064000000000, 1, NULL, NULL, NULL, NULL),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'crt_01m8kg6xyjeyn91bvv2m2na128', 'ord_01m8kg6xsve3hr3jzb6bkekyjs', '-----BEGIN CERTIFICATE-----
MIIBWDCB/6ADAgECAhRlfCVAca43rRUpbQYS9xCZ+IB9yjAKBggqhkjOPQQDAjAf
MR0wGwYDVQQDDBRMaWNldCBUZXN0IEF1dGhvcml0eTAeFw0yNjAyMjYwMDAwMDBa
Fw0yNjA1MjYyMzU5NTlaMBoxGDAWBgNVBAMMD3d3dy5leGFtcGxlLmNvbTBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABIzYXu+HTbX4K2sOq2byKo5JGtrC2YhNRfV1
4tZ06QTXTZBQZ8aUriz39NvjHjVsiwPowH786Z7b608gh6yF2MCjHjAcMBoGA1Ud
EQQTMBGCD3d3dy5leGFtcGxlLmNvbTAKBggqhkjOPQQDAgNIADBFAiEAwJxf9MSx
07lh/rPatbc20eTZg2YdpRUyrDEe86MHOkICIBy752msmKnUxq3NYFFWYPfYBdNK
hrB0D2JBkR9uBXwE

MIIBdTCCARqgAwIBAgIUTsQHIlR/UEPvCtuTQzpgroCqXmMwCgYIKoZIzj0EAwIw
HzEdMBsGA1UEAwwUTGljZXQgVGVzdCBBdXRob3JpdHkwIBcNMjAwMTAxMDAwMDAw
WhgPMjA2MDAxMDEwMDAwMDBaMB8xHTAbBgNVBAMMFExpY2V0IFRlc3QgQXV0aG9y
aXR5MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEjh2hqsLe/6ve3AZXZGp1xuO+
9SPt8bTYwYwx/61YmYtPKB5h678S99J65eOprT9vZV9qHdEoYs/pEVZ2ZAr1cqMy
MDAwHQYDVR0OBBYEFAWSph/pCLuNjdlRpa97myW3tijaMA8GA1UdEwEB/wQFMAMB
Af8wCgYIKoZIzj0EAwIDSQAwRgIhAOFBNmL121t0IKJBOxvRRUs+UO0XZNzr6er4
NTto3IwoAiEA/pNV8Lf88prTOmyZsNgCipN2jqibkqeOY4ar9p35/WM=
', '\x755bb73fd96196a9688b5d847c211dab06aa5e23d6d628b38d7cabe5b647b0bf', '657c254071ae37ad15296d0612f71099f8807dca', 'CN=Licet Test Authority', 'CN=www.example.com', 'www.example.com', 'EC 256', '[{"type":"dNSName","value":"www.example.com"}]', 1772064000000000, 1779839999000000, 1772064000000000, NULL, NULL, 0, NULL, NULL, NULL, NULL),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'crt_01m8kg6y3fentv8nabcpxfdf71', 'ord_01m8kg6y0re7nrfzeqnhwaaqzf', '-----BEGIN CERTIFICATE-----
MIIBWzCCAQGgAwIBAgIUXwLF+wCZPpj5nHhO2ExZovrtbnQwCgYIKoZIzj0EAwIw
HzEdMBsGA1UEAwwUTGljZXQgVGVzdCBBdXRob3JpdHkwHhcNMjYwMjI2MDAwMDAw
WhcNMjYwNTI2MjM1OTU5WjAbMRkwFwYDVQQDDBBjaGFuZ2luZy5leGFtcGxlMFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEln9f8SsvHzG143N6kgh0u/s+ziT9/jf9
SmeRK0t0Vi4dLo3/OkL+IhD6chb5gek6bYmZ34IBpPQ64wLIKnaM8qMfMB0wGwYD
VR0RBBQwEoIQY2hhbmdpbmcuZXhhbXBsZTAKBggqhkjOPQQDAgNIADBFAiA4BnyP
kQE8/m95FCUYmhNIT1ZOk07INzOz1JgPcRh+WAIhAMloSKFSVJB9u8w1gu3tvcbO
IhAVbeU/eaAdmcVMAof/

MIIBcjCCARqgAwIBAgIUe9le6lYDU1BQPGQAN5ulEKXA5VIwCgYIKoZIzj0EAwIw
HzEdMBsGA1UEAwwUTGljZXQgVGVzdCBBdXRob3JpdHkwIBcNMjAwMTAxMDAwMDAw
WhgPMjA2MDAxMDEwMDAwMDBaMB8xHTAbBgNVBAMMFExpY2V0IFRlc3QgQXV0aG9y
aXR5MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4FyPu5E8/D2lpZtFGI0PKGw4
cRMZYbALPtyYUDKN9+cAkXNvCH+IL7IOjfiegRDDpL840eeEg1w8w4/QZWZG+aMy
MDAwHQYDVR0OBBYEFESXAzBywVFzCbrju6yNCHC6URh4MA8GA1UdEwEB/wQFMAMB
Af8wCgYIKoZIzj0EAwIDRgAwQwIfYqkHBr9Z5ZwSmAEgwHHscCJdoDRtgcw0DAs0
vznT0gIgVKxSBjOFqSX9MQU2BnxbOFh57DXSd0g0CpzSxnEK+Gc=
', '\x9b4ea396ae11b0512588d5b49b539b6bf97d598983d9d9e1c5b04244362927e6', '5f02c5fb00993e98f99c784ed84c59a2faed6e74', 'CN=Licet Test Authority', 'CN=changing.example', 'changing.example', 'EC 256', '[{"type":"dNSName","value":"changing.example"}]', 1772064000000000, 1779839999000000, 1772064000000000, NULL, NULL, 0, NULL, NULL, NULL, NULL);

INSERT INTO orders.certificate_order VALUES
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6wyjee6bagct1zz7k847', 'multi-domain-dv', 'PAID', 2, 'paid.example', 'nginx', NULL, NULL, 0, 1801180800000000, 1769644800000000, 1769644800000000, 1769644800000000, NULL, NULL, NULL, NULL, NULL, 1801180800000000, NULL, 0),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6xc6ekkty4qqrnagaxzc', 'multi-domain-dv', 'DELETED', 4, 'reviewed.example', 'nginx', NULL, NULL, 0, 1801180800000000, NULL, 1769644800000000, 1772064000000000, 1772064000000000, '\x0a1e7266645f30316d386b673678716b6579387630347161687a6a3566667338121e6163635f30316d386b673677786765717238646368306a663734777363381a200a1e6f72645f30316d386b6736786336656b6b7479347171726e616761787a6320032a0c0a03555344120539382e3030320b0a035553441204302e30303a04414c2d3442820166697273742069737375656420617420323032362d30312d32395430303a30303a30302e3030303030305a2c20726566756e642061736b656420666f7220617420323032362d30322d32365430303a30303a30302e3030303030305a2c206265747765656e20323520616e642033302064617973206c617465723a207265766965774a060880c6eacb0652060880b1eecc065a060880e088cd06620608809afecc06', NULL, NULL, NULL, NULL, NULL, 1),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6xsve3hr3jzb6bkekyjs', 'single-domain-dv', 'ISSUED', 3, 'www.example.com', 'nginx', NULL, NULL, 0, 1803600000000000, NULL, 1772064000000000, 1772064000000000, NULL, NULL, NULL, NULL, NULL, 1803600000000000, NULL, 0),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6y0re7nrfzeqnhwaaqzf', 'multi-domain-dv', 'ISSUED', 4, 'changing.example', 'nginx', NULL, NULL, 0, 1803600000000000, 1772064000000000, 1772064000000000, 1772064000000000, NULL, NULL, NULL, NULL, NULL, 1803600000000000, NULL, 0),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6x30etytgdj4wmfjyj99', 'multi-domain-dv', 'ISSUED', 3, 'ended.example', 'nginx', NULL, NULL, 0, 1772236800000000, NULL, 1769644800000000, 1772236800000000, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6zr7easseetyg7hfkdpx', 'multi-domain-dv', 'PAID', 2, 'drawn.example', 'nginx', NULL, NULL, 0, 1804723200000000, 1773187200000000, 1773187200000000, 1773187200000000, NULL, NULL, 'lic_01m8kg6z0rem9btmbajpavcr18', 'rsv_554v3pre5db1gvkskt1bn2xn4f', NULL, 1804723200000000, NULL, 0),
	('acc_01m8kg70rqem99fe33wbw4dp21', 'ord_01m8kg70sce0fb8vss2adc3g5k', 'multi-domain-dv', 'PENDING', 1, 'waiting.example', 'nginx', NULL, NULL, 0, 1804723200000000, NULL, 1773187200000000, 1773187200000000, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0);

INSERT INTO orders.domain_change VALUES
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6y0re7nrfzeqnhwaaqzf', 'AWAITING_ISSUANCE', '[{"type":"dNSName","value":"*.wild.example"},{"type":"dNSName","value":"added.example"}]', '[]', 1, 1, 1772064000000000, 'op_01m8kg6y4yegj9mm97a1ymr4q2', 'inv_01m8kg6y5be9s9paexfy1rx4d7', 19800, 'USD', 0, 0, 0, NULL, NULL, 0);

INSERT INTO orders.early_revocation VALUES
	('crt_01m8kg6za3ep58df9km6mv6x4w', 'SUPERSEDED', 1772928000000000, 'local-operator', '/licet.sanlicensing.v1.IssuanceService/RevokeCertificates', '1f66d2ef-fdbb-4bc1-b505-977cb592686c'),
	('crt_01m8kg6zd5ev3btncnek4fpmhk', 'KEY_COMPROMISE', 1772928000000000, 'local-operator', '/licet.sanlicensing.v1.IngestService/IngestCertificates', 'ca-1/2');

INSERT INTO orders.event VALUES
	(1, '01a22703-73d2-738c-b541-9a110719319f', 'licet.orders.order.accepted.v1', 'ord_01m8kg6wyjee6bagct1zz7k847', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1769644800000000, 'local-operator', '835f662f-81e0-4379-9338-3d170da78fe0', '/licet.orders.v1.OrderService/PlaceOrder', 'T-4', 'PENDING', '{"names":["b.example","paid.example"],"operation_id":"op_01m8kg6wyjee6bagct219vhyn8","product_id":"multi-domain-dv","san_license_id":null,"term_months":12}', '\x08a8b73490dd567b89dcf68008e96cfbf21ac52bb510d88297b06d2e3fda414f'),
	(2, '01a22703-7445-74c2-92cd-c3c3716011f2', 'licet.orders.order.paid.v1', 'ord_01m8kg6wyjee6bagct1zz7k847', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1769644800000000, 'local-operator', '835f662f-81e0-4379-9338-3d170da78fe0', '/licet.orders.v1.OrderService/PlaceOrder', 'T-4', 'PAID', '{"currency":"USD","invoice_id":"inv_01m8kg6x18eg0bqcmt0e7cbj9w","total":"147.00"}', '\xd3a00fb8d7cffccd610bf88197ac90337ac9705f29010b8da3a7277cdf489c20'),
	(3, '01a22703-7460-76bd-a836-44e75106b4c3', 'licet.orders.order.accepted.v1', 'ord_01m8kg6x30etytgdj4wmfjyj99', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1769644800000000, 'local-operator', 'c9ee240f-d017-43be-b085-8f465916205f', '/licet.orders.v1.OrderService/PlaceOrder', 'T-4', 'PENDING', '{"names":["ended.example"],"operation_id":"op_01m8kg6x30etytgdj4wt18qtp1","product_id":"multi-domain-dv","san_license_id":null,"term_months":1}', '\x1942c03fa039a26aa41fb1aaa84395d27aa1fc76fd97d783a1b2d0ddabb02846'),
	(4, '01a22703-74de-776e-a7e7-0f536ac791cc', 'licet.orders.order.paid.v1', 'ord_01m8kg6x30etytgdj4wmfjyj99', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1769644800000000, 'local-operator', 'c9ee240f-d017-43be-b085-8f465916205f', '/licet.orders.v1.OrderService/PlaceOrder', 'T-4', 'PAID', '{"currency":"USD","invoice_id":"inv_01m8kg6x5eewar0ce3vx2mgg07","total":"12.00"}', '\x190cd0f057f2ef1df923acbfea34a70605624781019cab3c6d9986849be99a35'),
	(5, '01a22703-757b-76a6-becb-8920f77ad82a', 'licet.orders.certificate.recorded.v1', 'ord_01m8kg6x30etytgdj4wmfjyj99', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1769644800000000, 'local-operator', 'bda78622-dec1-4aa7-964c-3982a23546a0', '/licet.orders.v1.CertificateService/RecordIssuance', 'MD-7', 'ISSUED', '{"certificate_id":"crt_01m8kg6x9te10rzw4w2pyp8ndc","over_quota":false,"san_license_id":null,"serial":"1b387b5c4980c4b1dc19e409849d1cf852869e58","superseded_revoke_time":"2026-02-01T00:00:00.000000Z"}', '\xa5122035668ca7a6fa980b285898a6e5456a1052ff3b5b0d6b65077ec47de37f'),
	(6, '01a22703-7586-74e7-af12-f7c79e8a4776', 'licet.orders.order.accepted.v1', 'ord_01m8kg6xc6ekkty4qqrnagaxzc', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1769644800000000, 'local-operator', 'a5aa995b-8c87-418e-a99d-67955dee623d', '/licet.orders.v1.OrderService/PlaceOrder', 'T-4', 'PENDING', '{"names":["reviewed.example"],"operation_id":"op_01m8kg6xc6ekkty4qqrrjfrwa0","product_id":"multi-domain-dv","san_license_id":null,"term_months":12}', '\x11b11aef028768e40c29a1b02a742345a47d68075fc288aa93a4e1972e11fa22'),
	(7, '01a22703-761c-734e-951d-15d7980e2ee5', 'licet.orders.order.paid.v1', 'ord_01m8kg6xc6ekkty4qqrnagaxzc', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1769644800000000, 'local-operator', 'a5aa995b-8c87-418e-a99d-67955dee623d', '/licet.orders.v1.OrderService/PlaceOrder', 'T-4', 'PAID', '{"currency":"USD","invoice_id":"inv_01m8kg6xe2ermarta3r36ebgxz","total":"98.00"}', '\x548cc793b42cfa884880548cdd1d393659c5cf61544ce906c14753d07ccfff05'),
	(8, '01a22703-7692-7382-890f-7fc1b7928ece', 'licet.orders.certificate.recorded.v1', 'ord_01m8kg6xc6ekkty4qqrnagaxzc', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1769644800000000, 'local-operator', 'd0a49b24-a929-4542-90b5-fab7ca2eeeab', '/licet.orders.v1.CertificateService/RecordIssuance', 'MD-7', 'ISSUED', '{"certificate_id":"crt_01m8kg6xk7ewsbaq3sagtqeyjj","over_quota":false,"san_license_id":null,"serial":"324396336f105ba9392524bd339459e20113f0ec","superseded_revoke_time":"2026-02-01T00:00:00.000000Z"}', '\x30c4fbeab9115575918e5309c7a7c72d461a63afd0e8a54beea2e38d1995c5fb'),
	(9, '01a22703-76c9-7603-9ca2-d5ad098d3b43', 'licet.orders.order.deleted.v1', 'ord_01m8kg6xc6ekkty4qqrnagaxzc', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772064000000000, 'local-operator', '09b76115-7657-4a9f-8238-31e51db3c73f', '/licet.orders.v1.OrderService/DeleteOrder', 'AL-7', 'DELETED', '{"dropped_domain_change":false,"invalidated_server_ids":[],"operation_id":"op_01m8kg6xp8ejfsc4hd4ymj7yf7","revoked_certificate_ids":["crt_01m8kg6xk7ewsbaq3sagtqeyjj"],"void_additional_licenses":0,"void_next_additional_licenses":0}', '\xb688aad72601052addf113e1eea9fd1e1898807617cf7f03ca33144e20f8335b'),
	(10, '01a22703-7725-7318-8300-c654cec18f83', 'licet.orders.order.refund_decided.v1', 'ord_01m8kg6xc6ekkty4qqrnagaxzc', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772064000000000, 'local-operator', '09b76115-7657-4a9f-8238-31e51db3c73f', '/licet.orders.v1.OrderService/DeleteOrder', 'AL-4', 'REFUND_STATE_PENDING_REVIEW', '{"currency":"USD","refund_id":"rfd_01m8kg6xqkey8v04qahzj5ffs8","refunded":"0.00","refused_message":null,"refused_reason":null,"term_index":0}', '\x393f99c634ea3678df86a74f4d90c5371b590cfce6b2953a899bc0ea88daedd6'),
	(11, '01a22703-773c-75e7-a351-049161152a09', 'licet.orders.order.accepted.v1', 'ord_01m8kg6xsve3hr3jzb6bkekyjs', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772064000000000, 'local-operator', '5dd73f6b-c1d6-4372-9a1e-77377dfbccd5', '/licet.orders.v1.OrderService/PlaceOrder', 'T-4', 'PENDING', '{"names":["www.example.com"],"operation_id":"op_01m8kg6xsweqkt6m84j2k5k0bh","product_id":"single-domain-dv","san_license_id":null,"term_months":12}', '\x8e999556c831e58938bcb1ddade5df98b3cbfb944c543708e3f899180aa2d91f'),
	(12, '01a22703-7781-701a-ad62-95f721bf2deb', 'licet.orders.order.paid.v1', 'ord_01m8kg6xsve3hr3jzb6bkekyjs', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772064000000000, 'local-operator', '5dd73f6b-c1d6-4372-9a1e-77377dfbccd5', '/licet.orders.v1.OrderService/PlaceOrder', 'T-4', 'PAID', '{"currency":"USD","invoice_id":"inv_01m8kg6xv3evfar647kcsdtd12","total":"100.00"}', '\xd3fd3589058a21a581a2266e2b0e59f2663adfa38ded6ac60d781dbd68f52d63'),
	(13, '01a22703-77e3-7300-8e8c-f287360b0a11', 'licet.orders.certificate.recorded.v1', 'ord_01m8kg6xsve3hr3jzb6bkekyjs', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772064000000000, 'local-operator', '8dee18bc-b603-4a52-a1bf-a2a520a6412f', '/licet.orders.v1.CertificateService/RecordIssuance', 'MD-7', 'ISSUED', '{"certificate_id":"crt_01m8kg6xyjeyn91bvv2m2na128","over_quota":false,"san_license_id":null,"serial":"657c254071ae37ad15296d0612f71099f8807dca","superseded_revoke_time":"2026-03-01T00:00:00.000000Z"}', '\xd4a07869c5a61238d3ec9caabecb2b82c1df72cdcffb6502b3eff8a5561712c5'),
	(14, '01a22703-780e-76d5-9ba4-2945b9bfae63', 'licet.orders.server.registered.v1', 'ord_01m8kg6xsve3hr3jzb6bkekyjs', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772064000000000, 'local-operator', '0babca32-c550-4ab0-abfd-a1c6dd94e845', '/licet.orders.v1.ServerService/RegisterServer', 'AL-8', 'REGISTERED', '{"primary":true,"server_id":"srv_01m8kg6y02e68s61hfj8qfynmd"}', '\x55217e36dc5af5d2dea5965b867dc569f7a4a32526293bbf0802d2d72885b77b'),
	(15, '01a22703-7819-7798-9364-62feaaa09cbf', 'licet.orders.order.accepted.v1', 'ord_01m8kg6y0re7nrfzeqnhwaaqzf', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772064000000000, 'local-operator', 'f389265d-bd87-4a3b-a0c0-914aa6cdde56', '/licet.orders.v1.OrderService/PlaceOrder', 'T-4', 'PENDING', '{"names":["changing.example"],"operation_id":"op_01m8kg6y0re7nrfzeqnpq6gybg","product_id":"multi-domain-dv","san_license_id":null,"term_months":12}', '\x4df609e4fc8a2892181e7e7c746feac2c735c17c39922ee4190d26b54efa35d1'),
	(16, '01a22703-784d-752f-8333-031497077341', 'licet.orders.order.paid.v1', 'ord_01m8kg6y0re7nrfzeqnhwaaqzf', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772064000000000, 'local-operator', 'f389265d-bd87-4a3b-a0c0-914aa6cdde56', '/licet.orders.v1.OrderService/PlaceOrder', 'T-4', 'PAID', '{"currency":"USD","invoice_id":"inv_01m8kg6y1pem2a7zw5s7j8pbjb","total":"98.00"}', '\x119507491e68e586e84be71e078bc02f32ed08ab1618317f0733f0abd3efde9a'),
	(17, '01a22703-7877-7670-9d67-87466c817546', 'licet.orders.certificate.recorded.v1', 'ord_01m8kg6y0re7nrfzeqnhwaaqzf', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772064000000000, 'local-operator', '00fc813e-88de-4155-85a4-927490c04516', '/licet.orders.v1.CertificateService/RecordIssuance', 'MD-7', 'ISSUED', '{"certificate_id":"crt_01m8kg6y3fentv8nabcpxfdf71","over_quota":false,"san_license_id":null,"serial":"5f02c5fb00993e98f99c784ed84c59a2faed6e74","superseded_revoke_time":"2026-03-01T00:00:00.000000Z"}', '\x1ba7c6f1a0e500ae25196c1f112aeb67eb80df64b6706a1317635f0a95e25690'),
	(18, '01a22703-789e-7424-9a51-2751659b4867', 'licet.orders.domain_change.accepted.v1', 'ord_01m8kg6y0re7nrfzeqnhwaaqzf', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772064000000000, 'local-operator', '2be51698-a9cf-423b-bfef-5187fc9bc941', '/licet.orders.v1.OrderService/UpdateDomains', 'MD-7', 'CHARGING', '{"added":["*.wild.example","added.example"],"charged_standard":1,"charged_wildcard":1,"next_term_standard":0,"next_term_wildcard":0,"removed":[]}', '\x785e5f50c1aa7f1b4d0d46abd64a2e080b3630f2e3bcb39d9b1b01ec322598dd'),
	(19, '01a22703-78bf-7002-ad81-6c57584b1436', 'licet.orders.domain_change.charged.v1', 'ord_01m8kg6y0re7nrfzeqnhwaaqzf', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772064000000000, 'local-operator', '2be51698-a9cf-423b-bfef-5187fc9bc941', '/licet.orders.v1.OrderService/UpdateDomains', 'MD-1', 'AWAITING_ISSUANCE', '{"currency":"USD","invoice_id":"inv_01m8kg6y5be9s9paexfy1rx4d7","next_term":null,"total":"198.00"}', '\xcc75d53c47ebb06b3f996fc8789ecf6f35a6d2923740c38467f79a87f9f2af2a'),
	(20, '01a22703-792a-73aa-bb33-c3eaf0a640c4', 'licet.orders.order.ended.v1', 'ord_01m8kg6x30etytgdj4wmfjyj99', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772236800000000, 'orders', '', '', 'MD-10', 'ENDED', '{"additional_licenses":0,"awaits_certificate":false,"end_time":"2026-02-28T00:00:00.000000Z","kept_server_ids":null,"start_time":"2026-01-29T00:00:00.000000Z","term_index":0}', '\x286b9828db5505c0de31f4d54f51cf3bb948ef3b9dcdfedc88ec7b44f1ac642b'),
	(21, '01a22703-7f08-7470-b9c3-aaf38b02c0b7', 'licet.orders.order.accepted.v1', 'ord_01m8kg6zr7easseetyg7hfkdpx', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1773187200000000, 'local-operator', '6a676a6b-944d-4b3e-afee-e03d4bcd641c', '/licet.orders.v1.OrderService/PlaceOrder', 'T-4', 'PENDING', '{"names":["d.example","drawn.example"],"operation_id":"op_01m8kg6zr8ehrbkgxaybc92tv0","product_id":"multi-domain-dv","san_license_id":"lic_01m8kg6z0rem9btmbajpavcr18","term_months":12}', '\xe201a659fce1e2b60f3bcd3ef85eabcb0f0815ec04d31ece109457bf377c56e0'),
	(22, '01a22703-7fa8-7252-8820-1d5d0a1030f6', 'licet.orders.order.paid.v1', 'ord_01m8kg6zr7easseetyg7hfkdpx', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1773187200000000, 'local-operator', '6a676a6b-944d-4b3e-afee-e03d4bcd641c', '/licet.orders.v1.OrderService/PlaceOrder', 'T-4', 'PAID', '{"currency":"USD","invoice_id":"inv_01m8kg6zwrercsknzdz7h880gz","total":"98.00"}', '\x458f58ee606d1fa7ad852a8f22ee3332cfe588d5ff113380c144484dae68d1e0'),
	(23, '01a22703-7fca-73e6-9b4a-bf2051cd6042', 'licet.orders.issuance.decided.v1', 'ord_01m8kg6zr7easseetyg7hfkdpx', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1773187200000000, 'local-operator', '29961274-7e33-4c06-b6f6-081ce90a43c1', '/licet.orders.v1.CertificateService/BeginIssuance', 'X-4', 'GRANTED', '{"needed":2,"reasons":[],"reservation_id":"rsv_554v3pre5db1gvkskt1bn2xn4f","san_license_id":"lic_01m8kg6z0rem9btmbajpavcr18","short_by":0}', '\x8903c593589341e5f1ca565d7115f2183400db7c76ad79baecb1ea7d349b14a5');

INSERT INTO orders.following VALUES
	('san-licensing', 18);

INSERT INTO orders.operation VALUES
	('op_01m8kg6wyjee6bagct219vhyn8', 'PLACE_ORDER', 'ord_01m8kg6wyjee6bagct1zz7k847', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 'DONE', 'charge', '{"PlaceOrder":{"order_id":"ord_01m8kg6wyjee6bagct1zz7k847","account_id":"acc_01m8kg6wxgeqr8dch0jf74wsc8","origin":{"caller":"local-operator","method":"/licet.orders.v1.OrderService/PlaceOrder","request_id":"835f662f-81e0-4379-9338-3d170da78fe0"},"decision_time":"2026-01-29T00:00:00.000000Z","stage":{"Charge":{"sold":{"product":{"id":"multi-domain-dv","version":1,"kind":"MultiDomain","terms_months":[1,12,24],"included_domains":1,"max_domains":20,"wildcards_offered":true,"max_additional_licenses":10,"superseded":{"RevokedAfterHours":72},"tolerance_hours":24,"publicly_trusted":true,"renewal_open_days":90,"renewal_grace_days":30},"slots":{"standard":2,"wildcard":0},"currency":"USD","san_product_id":null},"quote":"0a1e7174655f30316d386b6736783034653471726e77743431336733366a7171121e6163635f30316d386b673677786765717238646368306a663734777363381a1e6f72645f30316d386b673677796a6565366261676374317a7a376b38343722200a1e6f72645f30316d386b673677796a6565366261676374317a7a376b3834372aab01080110011a1643657274696669636174652c203132206d6f6e746873220f6d756c74692d646f6d61696e2d6476280130013a0c0a03555344120539382e303042100a060880c6eacb0612060880adefda064a100a060880c6eacb0612060880adefda065201315801620c0a03555344120539382e30306a03542d347226726f756e642839382e30302055534420c397203120c397203129203d2039382e3030205553447a060880f2d6ca062aae01080210021a194675727468657220646f6d61696e2c203132206d6f6e746873220f6d756c74692d646f6d61696e2d6476280130013a0c0a03555344120534392e303042100a060880c6eacb0612060880adefda064a100a060880c6eacb0612060880adefda065201315801620c0a03555344120534392e30306a034d2d327226726f756e642834392e30302055534420c397203120c397203129203d2034392e3030205553447a060880f2d6ca06320d0a0355534412063134372e30303a060880c6eacb0642060884cdeacb064801"}}}}', 2, 1769644800000000, 1769644800000000, 1795950869480360, 0, '', '\x0af2010a1e6f72645f30316d386b673677796a6565366261676374317a7a376b383437121e6163635f30316d386b673677786765717238646368306a663734777363381a0f6d756c74692d646f6d61696e2d647620012802320c706169642e6578616d706c653a09622e6578616d706c653a0c706169642e6578616d706c6542056e67696e785a5112100a060880c6eacb0612060880adefda06180c2002321e696e765f30316d386b67367831386567306271636d7430653763626a39773a09622e6578616d706c653a0c706169642e6578616d706c65500170027a060880c6eacb068201060880adefda06a201060880c6eacb0612a2040a1e7174655f30316d386b6736783034653471726e77743431336733366a7171121e6163635f30316d386b673677786765717238646368306a663734777363381a1e6f72645f30316d386b673677796a6565366261676374317a7a376b38343722200a1e6f72645f30316d386b673677796a6565366261676374317a7a376b3834372aab01080110011a1643657274696669636174652c203132206d6f6e746873220f6d756c74692d646f6d61696e2d6476280130013a0c0a03555344120539382e303042100a060880c6eacb0612060880adefda064a100a060880c6eacb0612060880adefda065201315801620c0a03555344120539382e30306a03542d347226726f756e642839382e30302055534420c397203120c397203129203d2039382e3030205553447a060880f2d6ca062aae01080210021a194675727468657220646f6d61696e2c203132206d6f6e746873220f6d756c74692d646f6d61696e2d6476280130013a0c0a03555344120534392e303042100a060880c6eacb0612060880adefda064a100a060880c6eacb0612060880adefda065201315801620c0a03555344120534392e30306a034d2d327226726f756e642834392e30302055534420c397203120c397203129203d2034392e3030205553447a060880f2d6ca06320d0a0355534412063134372e30303a060880c6eacb0642060884cdeacb064802521e696e765f30316d386b67367831386567306271636d7430653763626a3977'),
	('op_01m8kg6xc6ekkty4qqrrjfrwa0', 'PLACE_ORDER', 'ord_01m8kg6xc6ekkty4qqrnagaxzc', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 'DONE', 'charge', '{"PlaceOrder":{"order_id":"ord_01m8kg6xc6ekkty4qqrnagaxzc","account_id":"acc_01m8kg6wxgeqr8dch0jf74wsc8","origin":{"caller":"local-operator","method":"/licet.orders.v1.OrderService/PlaceOrder","request_id":"a5aa995b-8c87-418e-a99d-67955dee623d"},"decision_time":"2026-01-29T00:00:00.000000Z","stage":{"Charge":{"sold":{"product":{"id":"multi-domain-dv","version":1,"kind":"MultiDomain","terms_months":[1,12,24],"included_domains":1,"max_domains":20,"wildcards_offered":true,"max_additional_licenses":10,"superseded":{"RevokedAfterHours":72},"tolerance_hours":24,"publicly_trusted":true,"renewal_open_days":90,"renewal_grace_days":30},"slots":{"standard":1,"wildcard":0},"currency":"USD","san_product_id":null},"quote":"0a1e7174655f30316d386b6736786366656d71767238746d7130726d306b3879121e6163635f30316d386b673677786765717238646368306a663734777363381a1e6f72645f30316d386b6736786336656b6b7479347171726e616761787a6322200a1e6f72645f30316d386b6736786336656b6b7479347171726e616761787a632aab01080110011a1643657274696669636174652c203132206d6f6e746873220f6d756c74692d646f6d61696e2d6476280130013a0c0a03555344120539382e303042100a060880c6eacb0612060880adefda064a100a060880c6eacb0612060880adefda065201315801620c0a03555344120539382e30306a03542d347226726f756e642839382e30302055534420c397203120c397203129203d2039382e3030205553447a060880f2d6ca06320c0a03555344120539382e30303a060880c6eacb0642060884cdeacb064801"}}}}', 2, 1769644800000000, 1769644800000000, 1795950869861666, 0, '', '\x0ae8010a1e6f72645f30316d386b6736786336656b6b7479347171726e616761787a63121e6163635f30316d386b673677786765717238646368306a663734777363381a0f6d756c74692d646f6d61696e2d647620012802321072657669657765642e6578616d706c653a1072657669657765642e6578616d706c6542056e67696e785a4a12100a060880c6eacb0612060880adefda06180c2001321e696e765f30316d386b673678653265726d6172746133723336656267787a3a1072657669657765642e6578616d706c65500170027a060880c6eacb068201060880adefda06a201060880c6eacb0612f0020a1e7174655f30316d386b6736786366656d71767238746d7130726d306b3879121e6163635f30316d386b673677786765717238646368306a663734777363381a1e6f72645f30316d386b6736786336656b6b7479347171726e616761787a6322200a1e6f72645f30316d386b6736786336656b6b7479347171726e616761787a632aab01080110011a1643657274696669636174652c203132206d6f6e746873220f6d756c74692d646f6d61696e2d6476280130013a0c0a03555344120539382e303042100a060880c6eacb0612060880adefda064a100a060880c6eacb0612060880adefda065201315801620c0a03555344120539382e30306a03542d347226726f756e642839382e30302055534420c397203120c397203129203d2039382e3030205553447a060880f2d6ca06320c0a03555344120539382e30303a060880c6eacb0642060884cdeacb064802521e696e765f30316d386b673678653265726d6172746133723336656267787a'),
	('op_01m8kg6y4yegj9mm97a1ymr4q2', 'UPDATE_DOMAINS', 'ord_01m8kg6y0re7nrfzeqnhwaaqzf', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 'DONE', 'charge', '{"UpdateDomains":{"order_id":"ord_01m8kg6y0re7nrfzeqnhwaaqzf","account_id":"acc_01m8kg6wxgeqr8dch0jf74wsc8","origin":{"caller":"local-operator","method":"/licet.orders.v1.OrderService/UpdateDomains","request_id":"2be51698-a9cf-423b-bfef-5187fc9bc941"},"decision_time":"2026-02-26T00:00:00.000000Z","stage":{"Charge":{"quote":"0a1e7174655f30316d386b673679353365643962333533656a337a6e34747136121e6163635f30316d386b673677786765717238646368306a663734777363381a403035613264653835633831363961616636306233313165663635343361643561653036343836366565313266653733666161346231373565633665393435646222200a1e6f72645f30316d386b673679307265376e72667a65716e68776161717a662ab701080110021a214675727468657220646f6d61696e2c2072657374206f66203132206d6f6e746873220f6d756c74692d646f6d61696e2d6476280130013a0c0a03555344120534392e303042100a0608809afecc06120608808183dc064a100a0608809afecc06120608808183dc065201315801620c0a03555344120534392e30306a044d442d317226726f756e642834392e30302055534420c397203120c397203129203d2034392e3030205553447a060880f2d6ca062ac401080210031a2a467572746865722077696c646361726420646f6d61696e2c2072657374206f66203132206d6f6e746873220f6d756c74692d646f6d61696e2d6476280130013a0d0a0355534412063134392e303042100a0608809afecc06120608808183dc064a100a0608809afecc06120608808183dc065201315801620d0a0355534412063134392e30306a044d442d347228726f756e64283134392e30302055534420c397203120c397203129203d203134392e3030205553447a060880f2d6ca06320d0a0355534412063139382e30303a0608809afecc0642060884a1fecc064801","next_quote":null}}}}', 2, 1772064000000000, 1772064000000000, 1795950870647742, 0, '', '\x0af2030a1e6f72645f30316d386b673679307265376e72667a65716e68776161717a66121e6163635f30316d386b673677786765717238646368306a663734777363381a0f6d756c74692d646f6d61696e2d64762001280332106368616e67696e672e6578616d706c653a106368616e67696e672e6578616d706c6542056e67696e785a7412100a0608809afecc06120608808183dc06180c20022801321e696e765f30316d386b6736793170656d3261377a773573376a3870626a62321e696e765f30316d386b6736793562653973397061657866793172783464373a106368616e67696e672e6578616d706c6550015a0608809afecc06621e6372745f30316d386b6736793366656e7476386e616263707866646637316abd010a1d6f705f30316d386b673679347965676a396d6d39376131796d7234713210021a1161776169742d6365727469666963617465320608809afecc063a7f0a0e2a2e77696c642e6578616d706c650a0d61646465642e6578616d706c650a106368616e67696e672e6578616d706c65120e2a2e77696c642e6578616d706c65120d61646465642e6578616d706c65220d0a0355534412063139382e30302a1e696e765f30316d386b67367935626539733970616578667931727834643770047a0608809afecc0682010608808183dc06a2010608809afecc0612e6040a1e7174655f30316d386b673679353365643962333533656a337a6e34747136121e6163635f30316d386b673677786765717238646368306a663734777363381a403035613264653835633831363961616636306233313165663635343361643561653036343836366565313266653733666161346231373565633665393435646222200a1e6f72645f30316d386b673679307265376e72667a65716e68776161717a662ab701080110021a214675727468657220646f6d61696e2c2072657374206f66203132206d6f6e746873220f6d756c74692d646f6d61696e2d6476280130013a0c0a03555344120534392e303042100a0608809afecc06120608808183dc064a100a0608809afecc06120608808183dc065201315801620c0a03555344120534392e30306a044d442d317226726f756e642834392e30302055534420c397203120c397203129203d2034392e3030205553447a060880f2d6ca062ac401080210031a2a467572746865722077696c646361726420646f6d61696e2c2072657374206f66203132206d6f6e746873220f6d756c74692d646f6d61696e2d6476280130013a0d0a0355534412063134392e303042100a0608809afecc06120608808183dc064a100a0608809afecc06120608808183dc065201315801620d0a0355534412063134392e30306a044d442d347228726f756e64283134392e30302055534420c397203120c397203129203d203134392e3030205553447a060880f2d6ca06320d0a0355534412063139382e30303a0608809afecc0642060884a1fecc064802521e696e765f30316d386b6736793562653973397061657866793172783464371a0e2a2e77696c642e6578616d706c651a0d61646465642e6578616d706c651a106368616e67696e672e6578616d706c65'),
	('op_01m8kg6x30etytgdj4wt18qtp1', 'PLACE_ORDER', 'ord_01m8kg6x30etytgdj4wmfjyj99', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 'DONE', 'charge', '{"PlaceOrder":{"order_id":"ord_01m8kg6x30etytgdj4wmfjyj99","account_id":"acc_01m8kg6wxgeqr8dch0jf74wsc8","origin":{"caller":"local-operator","method":"/licet.orders.v1.OrderService/PlaceOrder","request_id":"c9ee240f-d017-43be-b085-8f465916205f"},"decision_time":"2026-01-29T00:00:00.000000Z","stage":{"Charge":{"sold":{"product":{"id":"multi-domain-dv","version":1,"kind":"MultiDomain","terms_months":[1,12,24],"included_domains":1,"max_domains":20,"wildcards_offered":true,"max_additional_licenses":10,"superseded":{"RevokedAfterHours":72},"tolerance_hours":24,"publicly_trusted":true,"renewal_open_days":90,"renewal_grace_days":30},"slots":{"standard":1,"wildcard":0},"currency":"USD","san_product_id":null},"quote":"0a1e7174655f30316d386b673678337465336e767a383730793231627038716e121e6163635f30316d386b673677786765717238646368306a663734777363381a1e6f72645f30316d386b67367833306574797467646a34776d666a796a393922200a1e6f72645f30316d386b67367833306574797467646a34776d666a796a39392aa901080110011a1443657274696669636174652c2031206d6f6e7468220f6d756c74692d646f6d61696e2d6476280130013a0c0a03555344120531322e303042100a060880c6eacb0612060880e088cd064a100a060880c6eacb0612060880e088cd065201315801620c0a03555344120531322e30306a03542d347226726f756e642831322e30302055534420c397203120c397203129203d2031322e3030205553447a060880f2d6ca06320c0a03555344120531322e30303a060880c6eacb0642060884cdeacb064801"}}}}', 2, 1769644800000000, 1769644800000000, 1795950869597478, 0, '', '\x0adf010a1e6f72645f30316d386b67367833306574797467646a34776d666a796a3939121e6163635f30316d386b673677786765717238646368306a663734777363381a0f6d756c74692d646f6d61696e2d647620012802320d656e6465642e6578616d706c653a0d656e6465642e6578616d706c6542056e67696e785a4712100a060880c6eacb0612060880e088cd0618012001321e696e765f30316d386b673678356565776172306365337678326d676730373a0d656e6465642e6578616d706c65500170027a060880c6eacb068201060880e088cd06a201060880c6eacb0612ee020a1e7174655f30316d386b673678337465336e767a383730793231627038716e121e6163635f30316d386b673677786765717238646368306a663734777363381a1e6f72645f30316d386b67367833306574797467646a34776d666a796a393922200a1e6f72645f30316d386b67367833306574797467646a34776d666a796a39392aa901080110011a1443657274696669636174652c2031206d6f6e7468220f6d756c74692d646f6d61696e2d6476280130013a0c0a03555344120531322e303042100a060880c6eacb0612060880e088cd064a100a060880c6eacb0612060880e088cd065201315801620c0a03555344120531322e30306a03542d347226726f756e642831322e30302055534420c397203120c397203129203d2031322e3030205553447a060880f2d6ca06320c0a03555344120531322e30303a060880c6eacb0642060884cdeacb064802521e696e765f30316d386b673678356565776172306365337678326d67673037'),
	('op_01m8kg6xp8ejfsc4hd4ymj7yf7', 'DELETE_ORDER', 'ord_01m8kg6xc6ekkty4qqrnagaxzc', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 'DONE', 'refund', '{"DeleteOrder":{"order_id":"ord_01m8kg6xc6ekkty4qqrnagaxzc","account_id":"acc_01m8kg6wxgeqr8dch0jf74wsc8","origin":{"caller":"local-operator","method":"/licet.orders.v1.OrderService/DeleteOrder","request_id":"09b76115-7657-4a9f-8238-31e51db3c73f"},"decision_time":"2026-02-26T00:00:00.000000Z","deletion":{"certificates":["crt_01m8kg6xk7ewsbaq3sagtqeyjj"],"servers":[],"additional_licenses":0,"next_additional_licenses":0,"drops_change":false},"question":"0a1e6163635f30316d386b673677786765717238646368306a6637347773633812200a1e6f72645f30316d386b6736786336656b6b7479347171726e616761787a631a060880c6eacb06220608809afecc06","next_question":null,"back":null,"is_refund_decided":false,"is_next_refund_decided":false}}', 1, 1772064000000000, 1772064000000000, 1795950870168882, 0, '', '\x0a9e040a1e6f72645f30316d386b6736786336656b6b7479347171726e616761787a63121e6163635f30316d386b673677786765717238646368306a663734777363381a0f6d756c74692d646f6d61696e2d647620012805321072657669657765642e6578616d706c653a1072657669657765642e6578616d706c6542056e67696e785a5212100a060880c6eacb0612060880adefda06180c2001321e696e765f30316d386b673678653265726d6172746133723336656267787a3a1072657669657765642e6578616d706c6550015a060880c6eacb0670047a060880c6eacb068201060880adefda068a010608809afecc069201aa020a1e7266645f30316d386b673678716b6579387630347161687a6a3566667338121e6163635f30316d386b673677786765717238646368306a663734777363381a200a1e6f72645f30316d386b6736786336656b6b7479347171726e616761787a6320032a0c0a03555344120539382e3030320b0a035553441204302e30303a04414c2d3442820166697273742069737375656420617420323032362d30312d32395430303a30303a30302e3030303030305a2c20726566756e642061736b656420666f7220617420323032362d30322d32365430303a30303a30302e3030303030305a2c206265747765656e20323520616e642033302064617973206c617465723a207265766965774a060880c6eacb0652060880b1eecc065a060880e088cd06620608809afecc0612aa020a1e7266645f30316d386b673678716b6579387630347161687a6a3566667338121e6163635f30316d386b673677786765717238646368306a663734777363381a200a1e6f72645f30316d386b6736786336656b6b7479347171726e616761787a6320032a0c0a03555344120539382e3030320b0a035553441204302e30303a04414c2d3442820166697273742069737375656420617420323032362d30312d32395430303a30303a30302e3030303030305a2c20726566756e642061736b656420666f7220617420323032362d30322d32365430303a30303a30302e3030303030305a2c206265747765656e20323520616e642033302064617973206c617465723a207265766965774a060880c6eacb0652060880b1eecc065a060880e088cd06620608809afecc061a200a1e6372745f30316d386b6736786b3765777362617133736167747165796a6a'),
	('op_01m8kg6xsweqkt6m84j2k5k0bh', 'PLACE_ORDER', 'ord_01m8kg6xsve3hr3jzb6bkekyjs', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 'DONE', 'charge', '{"PlaceOrder":{"order_id":"ord_01m8kg6xsve3hr3jzb6bkekyjs","account_id":"acc_01m8kg6wxgeqr8dch0jf74wsc8","origin":{"caller":"local-operator","method":"/licet.orders.v1.OrderService/PlaceOrder","request_id":"5dd73f6b-c1d6-4372-9a1e-77377dfbccd5"},"decision_time":"2026-02-26T00:00:00.000000Z","stage":{"Charge":{"sold":{"product":{"id":"single-domain-dv","version":1,"kind":"SingleDomain","terms_months":[12],"included_domains":1,"max_domains":1,"wildcards_offered":false,"max_additional_licenses":10,"superseded":{"RevokedAfterHours":72},"tolerance_hours":24,"publicly_trusted":true,"renewal_open_days":90,"renewal_grace_days":30},"slots":{"standard":1,"wildcard":0},"currency":"USD","san_product_id":null},"quote":"0a1e7174655f30316d386b673678746365373139793265346a64723064387477121e6163635f30316d386b673677786765717238646368306a663734777363381a1e6f72645f30316d386b673678737665336872336a7a6236626b656b796a7322200a1e6f72645f30316d386b673678737665336872336a7a6236626b656b796a732aac01080110011a1643657274696669636174652c203132206d6f6e746873221073696e676c652d646f6d61696e2d6476280130013a0c0a03555344120536302e303042100a0608809afecc06120608808183dc064a100a0608809afecc06120608808183dc065201315801620c0a03555344120536302e30306a03542d347226726f756e642836302e30302055534420c397203120c397203129203d2036302e3030205553447a060880f2d6ca062ab401080210041a1d4164646974696f6e616c206c6963656e63652c203132206d6f6e746873221073696e676c652d646f6d61696e2d6476280130023a0c0a03555344120532302e303042100a0608809afecc06120608808183dc064a100a0608809afecc06120608808183dc065201315801620c0a03555344120534302e30306a04414c2d357226726f756e642832302e30302055534420c397203220c397203129203d2034302e3030205553447a060880f2d6ca06320d0a0355534412063130302e30303a0608809afecc0642060884a1fecc064801"}}}}', 2, 1772064000000000, 1772064000000000, 1795950870308670, 0, '', '\x0aea010a1e6f72645f30316d386b673678737665336872336a7a6236626b656b796a73121e6163635f30316d386b673677786765717238646368306a663734777363381a1073696e676c652d646f6d61696e2d647620012802320f7777772e6578616d706c652e636f6d3a0f7777772e6578616d706c652e636f6d42056e67696e7848025a4b12100a0608809afecc06120608808183dc06180c2001321e696e765f30316d386b673678763365766661723634376b637364746431323a0f7777772e6578616d706c652e636f6d4002500170027a0608809afecc0682010608808183dc06a2010608809afecc0612a9040a1e7174655f30316d386b673678746365373139793265346a64723064387477121e6163635f30316d386b673677786765717238646368306a663734777363381a1e6f72645f30316d386b673678737665336872336a7a6236626b656b796a7322200a1e6f72645f30316d386b673678737665336872336a7a6236626b656b796a732aac01080110011a1643657274696669636174652c203132206d6f6e746873221073696e676c652d646f6d61696e2d6476280130013a0c0a03555344120536302e303042100a0608809afecc06120608808183dc064a100a0608809afecc06120608808183dc065201315801620c0a03555344120536302e30306a03542d347226726f756e642836302e30302055534420c397203120c397203129203d2036302e3030205553447a060880f2d6ca062ab401080210041a1d4164646974696f6e616c206c6963656e63652c203132206d6f6e746873221073696e676c652d646f6d61696e2d6476280130023a0c0a03555344120532302e303042100a0608809afecc06120608808183dc064a100a0608809afecc06120608808183dc065201315801620c0a03555344120534302e30306a04414c2d357226726f756e642832302e30302055534420c397203220c397203129203d2034302e3030205553447a060880f2d6ca06320d0a0355534412063130302e30303a0608809afecc0642060884a1fecc064802521e696e765f30316d386b673678763365766661723634376b63736474643132'),
	('op_01m8kg6zr8ehrbkgxaybc92tv0', 'PLACE_ORDER', 'ord_01m8kg6zr7easseetyg7hfkdpx', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 'DONE', 'charge', '{"PlaceOrder":{"order_id":"ord_01m8kg6zr7easseetyg7hfkdpx","account_id":"acc_01m8kg6wxgeqr8dch0jf74wsc8","origin":{"caller":"local-operator","method":"/licet.orders.v1.OrderService/PlaceOrder","request_id":"6a676a6b-944d-4b3e-afee-e03d4bcd641c"},"decision_time":"2026-03-11T00:00:00.000000Z","stage":{"Charge":{"sold":{"product":{"id":"multi-domain-dv","version":1,"kind":"MultiDomain","terms_months":[1,12,24],"included_domains":1,"max_domains":20,"wildcards_offered":true,"max_additional_licenses":10,"superseded":{"RevokedAfterHours":72},"tolerance_hours":24,"publicly_trusted":true,"renewal_open_days":90,"renewal_grace_days":30},"slots":{"standard":1,"wildcard":0},"currency":"USD","san_product_id":"san-bundle"},"quote":"0a1e7174655f30316d386b67367a7668657077736b377166796b7a393264726a121e6163635f30316d386b673677786765717238646368306a663734777363381a1e6f72645f30316d386b67367a72376561737365657479673768666b64707822200a1e6f72645f30316d386b67367a72376561737365657479673768666b6470782aab01080110011a1643657274696669636174652c203132206d6f6e746873220f6d756c74692d646f6d61696e2d6476280130013a0c0a03555344120539382e303042100a060880e1c2cd0612060880c8c7dc064a100a060880e1c2cd0612060880c8c7dc065201315801620c0a03555344120539382e30306a03542d347226726f756e642839382e30302055534420c397203120c397203129203d2039382e3030205553447a060880f2d6ca06320c0a03555344120539382e30303a060880e1c2cd0642060884e8c2cd064801"}}}}', 2, 1773187200000000, 1773187200000000, 1795950872403850, 0, '', '\x0a95020a1e6f72645f30316d386b67367a72376561737365657479673768666b647078121e6163635f30316d386b673677786765717238646368306a663734777363381a0f6d756c74692d646f6d61696e2d647620012802320d647261776e2e6578616d706c653a09642e6578616d706c653a0d647261776e2e6578616d706c6542056e67696e78521e6c69635f30316d386b67367a3072656d3962746d62616a706176637231385a5212100a060880e1c2cd0612060880c8c7dc06180c2001321e696e765f30316d386b67367a7772657263736b6e7a647a3768383830677a3a09642e6578616d706c653a0d647261776e2e6578616d706c65500170027a060880e1c2cd068201060880c8c7dc06a201060880e1c2cd0612af040a1e7174655f30316d386b67367a7668657077736b377166796b7a393264726a121e6163635f30316d386b673677786765717238646368306a663734777363381a1e6f72645f30316d386b67367a72376561737365657479673768666b64707822200a1e6f72645f30316d386b67367a72376561737365657479673768666b6470782aab01080110011a1643657274696669636174652c203132206d6f6e746873220f6d756c74692d646f6d61696e2d6476280130013a0c0a03555344120539382e303042100a060880e1c2cd0612060880c8c7dc064a100a060880e1c2cd0612060880c8c7dc065201315801620c0a03555344120539382e30306a03542d347226726f756e642839382e30302055534420c397203120c397203129203d2039382e3030205553447a060880f2d6ca062abc01080210021a1e4e616d657320647261776e2066726f6d20612053414e206c6963656e6365220f6d756c74692d646f6d61696e2d64762801620b0a035553441204302e30306a03582d34727132206e616d65732c2030206f66207468656d2077696c6463617264732c20647261776e2066726f6d2053414e206c6963656e6365206c69635f30316d386b67367a3072656d3962746d62616a706176637231383a206e6f20736c6f7420697320636861726765642c20302e303020555344320c0a03555344120539382e30303a060880e1c2cd0642060884e8c2cd064802521e696e765f30316d386b67367a7772657263736b6e7a647a3768383830677a'),
	('op_01m8kg6y0re7nrfzeqnpq6gybg', 'PLACE_ORDER', 'ord_01m8kg6y0re7nrfzeqnhwaaqzf', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 'DONE', 'charge', '{"PlaceOrder":{"order_id":"ord_01m8kg6y0re7nrfzeqnhwaaqzf","account_id":"acc_01m8kg6wxgeqr8dch0jf74wsc8","origin":{"caller":"local-operator","method":"/licet.orders.v1.OrderService/PlaceOrder","request_id":"f389265d-bd87-4a3b-a0c0-914aa6cdde56"},"decision_time":"2026-02-26T00:00:00.000000Z","stage":{"Charge":{"sold":{"product":{"id":"multi-domain-dv","version":1,"kind":"MultiDomain","terms_months":[1,12,24],"included_domains":1,"max_domains":20,"wildcards_offered":true,"max_additional_licenses":10,"superseded":{"RevokedAfterHours":72},"tolerance_hours":24,"publicly_trusted":true,"renewal_open_days":90,"renewal_grace_days":30},"slots":{"standard":1,"wildcard":0},"currency":"USD","san_product_id":null},"quote":"0a1e7174655f30316d386b673679313365746b727732367834706b7677677167121e6163635f30316d386b673677786765717238646368306a663734777363381a1e6f72645f30316d386b673679307265376e72667a65716e68776161717a6622200a1e6f72645f30316d386b673679307265376e72667a65716e68776161717a662aab01080110011a1643657274696669636174652c203132206d6f6e746873220f6d756c74692d646f6d61696e2d6476280130013a0c0a03555344120539382e303042100a0608809afecc06120608808183dc064a100a0608809afecc06120608808183dc065201315801620c0a03555344120539382e30306a03542d347226726f756e642839382e30302055534420c397203120c397203129203d2039382e3030205553447a060880f2d6ca06320c0a03555344120539382e30303a0608809afecc0642060884a1fecc064801"}}}}', 2, 1772064000000000, 1772064000000000, 1795950870528110, 0, '', '\x0ae8010a1e6f72645f30316d386b673679307265376e72667a65716e68776161717a66121e6163635f30316d386b673677786765717238646368306a663734777363381a0f6d756c74692d646f6d61696e2d64762001280232106368616e67696e672e6578616d706c653a106368616e67696e672e6578616d706c6542056e67696e785a4a12100a0608809afecc06120608808183dc06180c2001321e696e765f30316d386b6736793170656d3261377a773573376a3870626a623a106368616e67696e672e6578616d706c65500170027a0608809afecc0682010608808183dc06a2010608809afecc0612f0020a1e7174655f30316d386b673679313365746b727732367834706b7677677167121e6163635f30316d386b673677786765717238646368306a663734777363381a1e6f72645f30316d386b673679307265376e72667a65716e68776161717a6622200a1e6f72645f30316d386b673679307265376e72667a65716e68776161717a662aab01080110011a1643657274696669636174652c203132206d6f6e746873220f6d756c74692d646f6d61696e2d6476280130013a0c0a03555344120539382e303042100a0608809afecc06120608808183dc064a100a0608809afecc06120608808183dc065201315801620c0a03555344120539382e30306a03542d347226726f756e642839382e30302055534420c397203120c397203129203d2039382e3030205553447a060880f2d6ca06320c0a03555344120539382e30303a0608809afecc0642060884a1fecc064802521e696e765f30316d386b6736793170656d3261377a773573376a3870626a62'),
	('op_01m8kg6zxxevyv7cz86wab8x7h', 'BEGIN_ISSUANCE', 'ord_01m8kg6zr7easseetyg7hfkdpx', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 'DONE', 'authorize', '{"BeginIssuance":{"order_id":"ord_01m8kg6zr7easseetyg7hfkdpx","account_id":"acc_01m8kg6wxgeqr8dch0jf74wsc8","origin":{"caller":"local-operator","method":"/licet.orders.v1.CertificateService/BeginIssuance","request_id":"29961274-7e33-4c06-b6f6-081ce90a43c1"},"decision_time":"2026-03-11T00:00:00.000000Z","pending":"0a1e6f72645f30316d386b67367a72376561737365657479673768666b647078121e6163635f30316d386b673677786765717238646368306a663734777363381a0d647261776e2e6578616d706c652209642e6578616d706c65220d647261776e2e6578616d706c65320608ffeaccdc06380142060880e1c2cd06","question":"0a1e6c69635f30316d386b67367a3072656d3962746d62616a70617663723138120a73616e2d62756e646c651a0d08011209642e6578616d706c651a110801120d647261776e2e6578616d706c652002320608ffae9dd106"}}', 1, 1773187200000000, 1773187200000000, 1795950872462151, 0, '', '\x0a7b0a1e6f72645f30316d386b67367a72376561737365657479673768666b647078121e6163635f30316d386b673677786765717238646368306a663734777363381a0d647261776e2e6578616d706c652209642e6578616d706c65220d647261776e2e6578616d706c65320608ffeaccdc06380142060880e1c2cd06127a0801121e7273765f35353476337072653564623167766b736b7431626e32786e34661a060884e8c2cd06281930093801400262060880e1c2cd066a374772616e7465643a203920757365642c203120726573657276656420616e642032206e6565646564206d616b65203132206f662032352e7205534c2d3133'),
	('op_01m8kg70sce0fb8vss2emr61b8', 'PLACE_ORDER', 'ord_01m8kg70sce0fb8vss2adc3g5k', 'acc_01m8kg70rqem99fe33wbw4dp21', 'RUNNING', 'price', '{"PlaceOrder":{"order_id":"ord_01m8kg70sce0fb8vss2adc3g5k","account_id":"acc_01m8kg70rqem99fe33wbw4dp21","origin":{"caller":"local-operator","method":"/licet.orders.v1.OrderService/PlaceOrder","request_id":"7894bf50-bcf7-40f3-abdc-82a28a144146"},"decision_time":"2026-03-11T00:00:00.000000Z","stage":{"Price":{"product_id":"multi-domain-dv","names":[{"type":"dNSName","value":"waiting.example"}],"term":{"index":0,"term":{"anchor":"2026-03-11T00:00:00.000000Z","first_month":0,"months":12},"price_time":"2026-03-11T00:00:00.000000Z","additional_licenses":0,"first_issuance_time":null,"sold":null,"names":null,"kept_servers":null},"san_license_id":null}}}}', 1, 1773187200000000, NULL, 1795950871599152, 1, 'Unavailable: tcp connect error', NULL);

INSERT INTO orders.order_invoice VALUES
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6wyjee6bagct1zz7k847', 'inv_01m8kg6x18eg0bqcmt0e7cbj9w', 0, 14700, 'USD', 1769644800000000),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6x30etytgdj4wmfjyj99', 'inv_01m8kg6x5eewar0ce3vx2mgg07', 0, 1200, 'USD', 1769644800000000),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6xc6ekkty4qqrnagaxzc', 'inv_01m8kg6xe2ermarta3r36ebgxz', 0, 9800, 'USD', 1769644800000000),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6xsve3hr3jzb6bkekyjs', 'inv_01m8kg6xv3evfar647kcsdtd12', 0, 10000, 'USD', 1772064000000000),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6y0re7nrfzeqnhwaaqzf', 'inv_01m8kg6y1pem2a7zw5s7j8pbjb', 0, 9800, 'USD', 1772064000000000),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6y0re7nrfzeqnhwaaqzf', 'inv_01m8kg6y5be9s9paexfy1rx4d7', 0, 19800, 'USD', 1772064000000000),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6zr7easseetyg7hfkdpx', 'inv_01m8kg6zwrercsknzdz7h880gz', 0, 9800, 'USD', 1773187200000000);

INSERT INTO orders.order_name VALUES
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6wyjee6bagct1zz7k847', 'b.example'),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6wyjee6bagct1zz7k847', 'paid.example'),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6x30etytgdj4wmfjyj99', 'ended.example'),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6xc6ekkty4qqrnagaxzc', 'reviewed.example'),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6xsve3hr3jzb6bkekyjs', 'www.example.com'),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6y0re7nrfzeqnhwaaqzf', 'changing.example'),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6zr7easseetyg7hfkdpx', 'd.example'),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6zr7easseetyg7hfkdpx', 'drawn.example'),
	('acc_01m8kg70rqem99fe33wbw4dp21', 'ord_01m8kg70sce0fb8vss2adc3g5k', 'waiting.example');

INSERT INTO orders.order_term VALUES
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6wyjee6bagct1zz7k847', 0, 1769644800000000, 0, 12, 1767225600000000, 0, NULL, '{"product":{"id":"multi-domain-dv","version":1,"kind":"MultiDomain","terms_months":[1,12,24],"included_domains":1,"max_domains":20,"wildcards_offered":true,"max_additional_licenses":10,"superseded":{"RevokedAfterHours":72},"tolerance_hours":24,"publicly_trusted":true,"renewal_open_days":90,"renewal_grace_days":30},"slots":{"standard":2,"wildcard":0},"currency":"USD","san_product_id":null}', NULL, NULL),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6x30etytgdj4wmfjyj99', 0, 1769644800000000, 0, 1, 1767225600000000, 0, 1769644800000000, '{"product":{"id":"multi-domain-dv","version":1,"kind":"MultiDomain","terms_months":[1,12,24],"included_domains":1,"max_domains":20,"wildcards_offered":true,"max_additional_licenses":10,"superseded":{"RevokedAfterHours":72},"tolerance_hours":24,"publicly_trusted":true,"renewal_open_days":90,"renewal_grace_days":30},"slots":{"standard":1,"wildcard":0},"currency":"USD","san_product_id":null}', NULL, NULL),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6xc6ekkty4qqrnagaxzc', 0, 1769644800000000, 0, 12, 1767225600000000, 0, 1769644800000000, '{"product":{"id":"multi-domain-dv","version":1,"kind":"MultiDomain","terms_months":[1,12,24],"included_domains":1,"max_domains":20,"wildcards_offered":true,"max_additional_licenses":10,"superseded":{"RevokedAfterHours":72},"tolerance_hours":24,"publicly_trusted":true,"renewal_open_days":90,"renewal_grace_days":30},"slots":{"standard":1,"wildcard":0},"currency":"USD","san_product_id":null}', NULL, NULL),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6xsve3hr3jzb6bkekyjs', 0, 1772064000000000, 0, 12, 1767225600000000, 2, 1772064000000000, '{"product":{"id":"single-domain-dv","version":1,"kind":"SingleDomain","terms_months":[12],"included_domains":1,"max_domains":1,"wildcards_offered":false,"max_additional_licenses":10,"superseded":{"RevokedAfterHours":72},"tolerance_hours":24,"publicly_trusted":true,"renewal_open_days":90,"renewal_grace_days":30},"slots":{"standard":1,"wildcard":0},"currency":"USD","san_product_id":null}', NULL, NULL),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6y0re7nrfzeqnhwaaqzf', 0, 1772064000000000, 0, 12, 1767225600000000, 0, 1772064000000000, '{"product":{"id":"multi-domain-dv","version":1,"kind":"MultiDomain","terms_months":[1,12,24],"included_domains":1,"max_domains":20,"wildcards_offered":true,"max_additional_licenses":10,"superseded":{"RevokedAfterHours":72},"tolerance_hours":24,"publicly_trusted":true,"renewal_open_days":90,"renewal_grace_days":30},"slots":{"standard":2,"wildcard":1},"currency":"USD","san_product_id":null}', NULL, NULL),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'ord_01m8kg6zr7easseetyg7hfkdpx', 0, 1773187200000000, 0, 12, 1767225600000000, 0, NULL, '{"product":{"id":"multi-domain-dv","version":1,"kind":"MultiDomain","terms_months":[1,12,24],"included_domains":1,"max_domains":20,"wildcards_offered":true,"max_additional_licenses":10,"superseded":{"RevokedAfterHours":72},"tolerance_hours":24,"publicly_trusted":true,"renewal_open_days":90,"renewal_grace_days":30},"slots":{"standard":1,"wildcard":0},"currency":"USD","san_product_id":"san-bundle"}', NULL, NULL),
	('acc_01m8kg70rqem99fe33wbw4dp21', 'ord_01m8kg70sce0fb8vss2adc3g5k', 0, 1773187200000000, 0, 12, 1773187200000000, 0, NULL, NULL, NULL, NULL);

INSERT INTO orders.outbox OVERRIDING SYSTEM VALUE VALUES
	(24, '01a22703-832c-701e-b46f-39148fe73f0a', 'licet.orders.order.accepted.v1', 'ord_01m8kg70sce0fb8vss2adc3g5k', 'acc_01m8kg70rqem99fe33wbw4dp21', 1773187200000000, 'local-operator', '7894bf50-bcf7-40f3-abdc-82a28a144146', '/licet.orders.v1.OrderService/PlaceOrder', 'T-4', 'PENDING', '{"names":["waiting.example"],"operation_id":"op_01m8kg70sce0fb8vss2emr61b8","product_id":"multi-domain-dv","san_license_id":null,"term_months":12}');

INSERT INTO orders.replay VALUES
	('local-operator', '/licet.orders.v1.OrderService/PlaceOrder', '835f662f-81e0-4379-9338-3d170da78fe0', '\x9365b089bb4f709a31b862970a545402100142410cf16f5dd82333d6326c80b5', 'OPERATION', NULL, 'op_01m8kg6wyjee6bagct219vhyn8', 1795950867411108),
	('local-operator', '/licet.orders.v1.OrderService/PlaceOrder', 'c9ee240f-d017-43be-b085-8f465916205f', '\x163c0965e2b1547d0bb4f73437675bde9d7ed38f951ffdfe5907ab3993f7d242', 'OPERATION', NULL, 'op_01m8kg6x30etytgdj4wt18qtp1', 1795950867552706),
	('local-operator', '/licet.orders.v1.CertificateService/RecordIssuance', 'bda78622-dec1-4aa7-964c-3982a23546a0', '\x83daa8ec02f67ec459a68840f6b3190fede6206223e4c388e73fe7b0b611c2b2', 'ANSWER', '\x0af80a0a1e6372745f30316d386b6736783974653130727a77347732707970386e6463121e6f72645f30316d386b67367833306574797467646a34776d666a796a39391a1e6163635f30316d386b673677786765717238646368306a663734777363382228316233383762356334393830633462316463313965343039383439643163663835323836396535382a17434e3d4c69636574205465737420417574686f726974793210434e3d656e6465642e6578616d706c653a0d656e6465642e6578616d706c65420d656e6465642e6578616d706c654a060880c6eacb06520608fff6f8cc065a06454320323536624036666139386362623531346137396331396665356634363536396431393863306638326261616139333434663733613134313436303334316538343837626632680172060880c6eacb068201bd082d2d2d2d2d424547494e2043455254494649434154452d2d2d2d2d0a4d494942565443422b36414441674543416851624f487463535944457364775a35416d456e527a34556f61655744414b42676771686b6a4f50515144416a41660a4d52307747775944565151444442524d61574e6c644342555a584e304945463164476876636d6c3065544165467730794e6a41784d6a6b774d4441774d4442610a467730794e6a41794d6a51794d7a55354e546c614d426778466a415542674e5642414d4d445756755a47566b4c6d5634595731776247557757544154426763710a686b6a4f5051494242676771686b6a4f50514d4242774e43414154387864655766535a655a594f453863596549416d6e5471644e6a4d2b434654696e2f4c576d0a767a346634662f45583850514e434e4e6570792f67704841357855574f36472b456d4e496b664c6d74584e31436844476f787777476a415942674e56485245450a455441506767316c626d526c5a43356c654746746347786c4d416f4743437147534d343942414d4341306b414d45594349514372336c5a69354f2f44347a4b630a51726b6649556e32497946626c546e79476c4e4d526d32343979762f64774968414a6e4753635a424f5738475264772f69462f464c6f39696a67396e5152664d0a68334479714e6a662f476e500a2d2d2d2d2d454e442043455254494649434154452d2d2d2d2d0a0a2d2d2d2d2d424547494e2043455254494649434154452d2d2d2d2d0a4d494942637a43434152716741774942416749554a2f47585865327438794137565a734c3854506c5878476859385577436759494b6f5a497a6a3045417749770a487a45644d427347413155454177775554476c6a5a5851675647567a644342426458526f62334a7064486b774942634e4d6a41774d5441784d4441774d4441770a576867504d6a41324d4441784d4445774d4441774d4442614d4238784854416242674e5642414d4d46457870593256304946526c6333516751585630614739790a615852354d466b77457759484b6f5a497a6a3043415159494b6f5a497a6a3044415163445167414552326a5563382f416548484974662f72594d573235574c520a734d646b5561534258774b62494a356b513444677771672f6d5a30556b7841684d57646864306c2f7a3976717656722b63346f45714377796452416d56364d790a4d444177485159445652304f4242594546464c4e704a54745a7937784b6d514d386f5a554355466a757162754d41384741315564457745422f7751464d414d420a41663877436759494b6f5a497a6a30454177494452774177524149675456636d75787564514775795a5a343345665768576873664238613949367574475045660a696264323931634349416f6969596745505a50723449494b4339636d795331376c42385059786558307a723330537863426834760a2d2d2d2d2d454e442043455254494649434154452d2d2d2d2d0a12fe010a1e6f72645f30316d386b67367833306574797467646a34776d666a796a3939121e6163635f30316d386b673677786765717238646368306a663734777363381a0f6d756c74692d646f6d61696e2d647620012803320d656e6465642e6578616d706c653a0d656e6465642e6578616d706c6542056e67696e785a4f12100a060880c6eacb0612060880e088cd0618012001321e696e765f30316d386b673678356565776172306365337678326d676730373a0d656e6465642e6578616d706c6550015a060880c6eacb06621e6372745f30316d386b6736783974653130727a77347732707970386e646370037a060880c6eacb068201060880e088cd06', NULL, 1795950867720652),
	('local-operator', '/licet.orders.v1.OrderService/PlaceOrder', 'a5aa995b-8c87-418e-a99d-67955dee623d', '\xebb1b669bea4d412eca57e6bdc498081d57512f48c5d16933a88f45ec2c0604b', 'OPERATION', NULL, 'op_01m8kg6xc6ekkty4qqrrjfrwa0', 1795950867846727),
	('local-operator', '/licet.orders.v1.CertificateService/RecordIssuance', 'd0a49b24-a929-4542-90b5-fab7ca2eeeab', '\xbc4e09bbbd2d2ec7b0a279490497d79a61d5b6fc5382f7075bb1f0da488c2f55', 'ANSWER', '\x0a890b0a1e6372745f30316d386b6736786b3765777362617133736167747165796a6a121e6f72645f30316d386b6736786336656b6b7479347171726e616761787a631a1e6163635f30316d386b673677786765717238646368306a663734777363382228333234333936333336663130356261393339323532346264333339343539653230313133663065632a17434e3d4c69636574205465737420417574686f726974793213434e3d72657669657765642e6578616d706c653a1072657669657765642e6578616d706c65421072657669657765642e6578616d706c654a060880c6eacb06520608ff93c5cf065a06454320323536624063356230646338353039303730613635313361663531666666353639616339633633353138353532303930626665303635363765613239663634613961383133680172060880c6eacb068201c5082d2d2d2d2d424547494e2043455254494649434154452d2d2d2d2d0a4d494942576a43434151476741774942416749554d6b4f574d32385157366b354a5353394d35525a34674554384f7777436759494b6f5a497a6a3045417749770a487a45644d427347413155454177775554476c6a5a5851675647567a644342426458526f62334a7064486b774868634e4d6a59774d5449354d4441774d4441770a5768634e4d6a59774e4449344d6a4d314f545535576a41624d526b774677594456515144444242795a585a705a58646c5a43356c654746746347786c4d466b770a457759484b6f5a497a6a3043415159494b6f5a497a6a30444151634451674145334a586c654e6f535a4739524f68497a35457346765376536e53555a596539300a6d347a59386545657a37386535774951305064592b744465484e69463336776a47784f4b6a7334546e7a344456516a32764f445950364d664d423077477759440a5652305242425177456f4951636d5632615756335a5751755a586868625842735a54414b42676771686b6a4f5051514441674e484144424541694277576b75710a7456375037794c6b38505343794f6f625a2f2b735366484856414a3146594f64574b554c484149676469483836465a50393044665764747350572f47673638780a434d54386c3763644d30377759474448746e383d0a2d2d2d2d2d454e442043455254494649434154452d2d2d2d2d0a0a2d2d2d2d2d424547494e2043455254494649434154452d2d2d2d2d0a4d494942637a4343415271674177494241674955534c6c6d54777a76324472767075526c5750705a707a624c73624d77436759494b6f5a497a6a3045417749770a487a45644d427347413155454177775554476c6a5a5851675647567a644342426458526f62334a7064486b774942634e4d6a41774d5441784d4441774d4441770a576867504d6a41324d4441784d4445774d4441774d4442614d4238784854416242674e5642414d4d46457870593256304946526c6333516751585630614739790a615852354d466b77457759484b6f5a497a6a3043415159494b6f5a497a6a304441516344516741456564495a7231574469356d455a623065666f72684c524a6a0a4432364d645552637372413379704f6b6e582f694e5975392b324433526d484a434d4430414b4a32656a4e3261514d744f4577353546514373756b6b384b4d790a4d444177485159445652304f4242594546424b67626b612b687268466b37486f51582b714e4a6a616e34774c4d41384741315564457745422f7751464d414d420a41663877436759494b6f5a497a6a304541774944527741775241496752334b6b5a334b47716c2b367872465a6d336a6376524b77592b4543654c50634f4d71570a5764522b744a514349452b4256346446706759496e59363231486654535a64526646746a54335435765956765731596d514e446c0a2d2d2d2d2d454e442043455254494649434154452d2d2d2d2d0a1287020a1e6f72645f30316d386b6736786336656b6b7479347171726e616761787a63121e6163635f30316d386b673677786765717238646368306a663734777363381a0f6d756c74692d646f6d61696e2d647620012803321072657669657765642e6578616d706c653a1072657669657765642e6578616d706c6542056e67696e785a5212100a060880c6eacb0612060880adefda06180c2001321e696e765f30316d386b673678653265726d6172746133723336656267787a3a1072657669657765642e6578616d706c6550015a060880c6eacb06621e6372745f30316d386b6736786b3765777362617133736167747165796a6a70037a060880c6eacb068201060880adefda06', NULL, 1795950868046282),
	('local-operator', '/licet.orders.v1.OrderService/DeleteOrder', '09b76115-7657-4a9f-8238-31e51db3c73f', '\xe42d413a0d6f1d4c78c51b48a470af74ee2e7b60158e166a11c4ce43223ff38b', 'OPERATION', NULL, 'op_01m8kg6xp8ejfsc4hd4ymj7yf7', 1795950868127902),
	('local-operator', '/licet.orders.v1.OrderService/PlaceOrder', '5dd73f6b-c1d6-4372-9a1e-77377dfbccd5', '\x8ceb6fea051a4a5cb7e26700444aa0065c2113b113ffc5d2dc1c3c03428cdabc', 'OPERATION', NULL, 'op_01m8kg6xsweqkt6m84j2k5k0bh', 1795950868284601),
	('local-operator', '/licet.orders.v1.CertificateService/RecordIssuance', '8dee18bc-b603-4a52-a1bf-a2a520a6412f', '\xc04cf8003af2de25d365aa15e307a90780bc7757c9028473e7a1b81b444a00c5', 'ANSWER', '\x0a860b0a1e6372745f30316d386b673678796a65796e3931627676326d326e61313238121e6f72645f30316d386b673678737665336872336a7a6236626b656b796a731a1e6163635f30316d386b673677786765717238646368306a663734777363382228363537633235343037316165333761643135323936643036313266373130393966383830376463612a17434e3d4c69636574205465737420417574686f726974793212434e3d7777772e6578616d706c652e636f6d3a0f7777772e6578616d706c652e636f6d420f7777772e6578616d706c652e636f6d4a0608809afecc06520608ffe7d8d0065a064543203235366240373535626237336664393631393661393638386235643834376332313164616230366161356532336436643632386233386437636162653562363437623062666801720608809afecc068201c5082d2d2d2d2d424547494e2043455254494649434154452d2d2d2d2d0a4d494942574443422f364144416745434168526c664356416361343372525570625159533978435a2b494239796a414b42676771686b6a4f50515144416a41660a4d52307747775944565151444442524d61574e6c644342555a584e304945463164476876636d6c3065544165467730794e6a41794d6a59774d4441774d4442610a467730794e6a41314d6a59794d7a55354e546c614d426f784744415742674e5642414d4d443364336479356c654746746347786c4c6d4e766254425a4d424d470a42797147534d34394167454743437147534d3439417745484130494142497a5958752b48546258344b32734f713262794b6f354a477472433259684e526656310a34745a3036515458545a42515a38615572697a33394e766a486a56736977506f77483738365a37623630386768367946324d436a486a41634d426f47413155640a455151544d424743443364336479356c654746746347786c4c6d4e766254414b42676771686b6a4f5051514441674e494144424641694541774a7866394d53780a30376c682f725061746263323065545a67325964705255797244456538364d484f6b49434942793735326d736d4b6e557871334e594646575950665942644e4b0a6872423044324a426b523975425877450a2d2d2d2d2d454e442043455254494649434154452d2d2d2d2d0a0a2d2d2d2d2d424547494e2043455254494649434154452d2d2d2d2d0a4d4949426454434341527167417749424167495554735148496c522f5545507643747554517a7067726f4371586d4d77436759494b6f5a497a6a3045417749770a487a45644d427347413155454177775554476c6a5a5851675647567a644342426458526f62334a7064486b774942634e4d6a41774d5441784d4441774d4441770a576867504d6a41324d4441784d4445774d4441774d4442614d4238784854416242674e5642414d4d46457870593256304946526c6333516751585630614739790a615852354d466b77457759484b6f5a497a6a3043415159494b6f5a497a6a304441516344516741456a68326871734c652f36766533415a585a47703178754f2b0a3953507438625459775977782f3631596d5974504b4235683637385339394a3635654f70725439765a5639714864456f59732f7045565a325a41723163714d790a4d444177485159445652304f424259454641575370682f70434c754e6a646c52706139376d79573374696a614d41384741315564457745422f7751464d414d420a41663877436759494b6f5a497a6a3045417749445351417752674968414f46424e6d4c3132317430494b4a424f7876525255732b554f30585a4e7a72366572340a4e54746f3349776f416945412f704e56384c6638387072544f6d795a734e674369704e326a7169626b71654f59346172397033352f574d3d0a2d2d2d2d2d454e442043455254494649434154452d2d2d2d2d0a1289020a1e6f72645f30316d386b673678737665336872336a7a6236626b656b796a73121e6163635f30316d386b673677786765717238646368306a663734777363381a1073696e676c652d646f6d61696e2d647620012803320f7777772e6578616d706c652e636f6d3a0f7777772e6578616d706c652e636f6d42056e67696e7848025a5312100a0608809afecc06120608808183dc06180c2001321e696e765f30316d386b673678763365766661723634376b637364746431323a0f7777772e6578616d706c652e636f6d400250015a0608809afecc06621e6372745f30316d386b673678796a65796e3931627676326d326e6131323870037a0608809afecc0682010608808183dc06', NULL, 1795950868414167),
	('local-operator', '/licet.orders.v1.ServerService/RegisterServer', '0babca32-c550-4ab0-abfd-a1c6dd94e845', '\x72a235c57fc65988462d528d8c6baa3ca252526ce20f1d32851d15568f77b781', 'ANSWER', '\x0a610a1e7372765f30316d386b673679303265363873363168666a387166796e6d64121e6f72645f30316d386b673678737665336872336a7a6236626b656b796a731a0c6f6e652e696e7465726e616c22056e67696e78280130013a0608809afecc0610031801', NULL, 1795950868472040),
	('local-operator', '/licet.orders.v1.OrderService/PlaceOrder', 'f389265d-bd87-4a3b-a0c0-914aa6cdde56', '\xa679858a6d6f16fd956d5697220578d7971586f22434aaf47ccd1b1e5c5579f3', 'OPERATION', NULL, 'op_01m8kg6y0re7nrfzeqnpq6gybg', 1795950868505113),
	('local-operator', '/licet.orders.v1.OrderService/UpdateDomains', '2be51698-a9cf-423b-bfef-5187fc9bc941', '\xdb0f0a2ebcdaa67f260d55ec7624d8fe764297d90f8578638f9b8a00afa158d0', 'OPERATION', NULL, 'op_01m8kg6y4yegj9mm97a1ymr4q2', 1795950868620146),
	('local-operator', '/licet.orders.v1.OrderService/PlaceOrder', '6a676a6b-944d-4b3e-afee-e03d4bcd641c', '\x0fa7a964f78a4c627a42a4da079d9b9db8db9bb6155fc0b14aeb8b9a641ee323', 'OPERATION', NULL, 'op_01m8kg6zr8ehrbkgxaybc92tv0', 1795950870280361),
	('local-operator', '/licet.orders.v1.CertificateService/BeginIssuance', '29961274-7e33-4c06-b6f6-081ce90a43c1', '\x156fad8293fa0dc5cf19b215d6a0172d4c0c767597c0d837c5dc7b4a9ec5a47e', 'OPERATION', NULL, 'op_01m8kg6zxxevyv7cz86wab8x7h', 1795950870456114),
	('local-operator', '/licet.orders.v1.OrderService/PlaceOrder', '7894bf50-bcf7-40f3-abdc-82a28a144146', '\x6bb3342f51b4c1168d8b1d81ef2e8150efc7df08abaa210a26d2889de08a894e', 'OPERATION', NULL, 'op_01m8kg70sce0fb8vss2emr61b8', 1795950871340767),
	('local-operator', '/licet.orders.v1.CertificateService/RecordIssuance', '00fc813e-88de-4155-85a4-927490c04516', '\x3c8cad10d6ab8d65b1b4324ec6fd476963573d5393a359254b7cba4168d6e9ec', 'ANSWER', '\x0a890b0a1e6372745f30316d386b6736793366656e7476386e61626370786664663731121e6f72645f30316d386b673679307265376e72667a65716e68776161717a661a1e6163635f30316d386b673677786765717238646368306a663734777363382228356630326335666230303939336539386639396337383465643834633539613266616564366537342a17434e3d4c69636574205465737420417574686f726974793213434e3d6368616e67696e672e6578616d706c653a106368616e67696e672e6578616d706c6542106368616e67696e672e6578616d706c654a0608809afecc06520608ffe7d8d0065a064543203235366240396234656133393661653131623035313235383864356234396235333962366266393764353938393833643964396531633562303432343433363239323765366801720608809afecc068201c5082d2d2d2d2d424547494e2043455254494649434154452d2d2d2d2d0a4d494942577a434341514767417749424167495558774c462b77435a50706a356e48684f3245785a6f767274626e5177436759494b6f5a497a6a3045417749770a487a45644d427347413155454177775554476c6a5a5851675647567a644342426458526f62334a7064486b774868634e4d6a59774d6a49324d4441774d4441770a5768634e4d6a59774e5449324d6a4d314f545535576a41624d526b7746775944565151444442426a614746755a326c755a79356c654746746347786c4d466b770a457759484b6f5a497a6a3043415159494b6f5a497a6a304441516344516741456c6e396638537376487a473134334e366b676830752f732b7a6954392f6a66390a536d65524b307430566934644c6f332f4f6b4c2b496844366368623567656b3662596d5a333449427050513634774c494b6e614d38714d664d423077477759440a5652305242425177456f495159326868626d6470626d63755a586868625842735a54414b42676771686b6a4f5051514441674e494144424641694134426e79500a6b5145382f6d3935464355596d684e4954315a4f6b3037494e7a4f7a314a67506352682b57414968414d6c6f534b4653564a423975387731677533747663624f0a496841566265552f656141646d63564d416f662f0a2d2d2d2d2d454e442043455254494649434154452d2d2d2d2d0a0a2d2d2d2d2d424547494e2043455254494649434154452d2d2d2d2d0a4d494942636a434341527167417749424167495565396c65366c594455314251504751414e35756c454b584135564977436759494b6f5a497a6a3045417749770a487a45644d427347413155454177775554476c6a5a5851675647567a644342426458526f62334a7064486b774942634e4d6a41774d5441784d4441774d4441770a576867504d6a41324d4441784d4445774d4441774d4442614d4238784854416242674e5642414d4d46457870593256304946526c6333516751585630614739790a615852354d466b77457759484b6f5a497a6a3043415159494b6f5a497a6a3044415163445167414534467950753545382f44326c705a7446474930504b4777340a63524d5a5962414c5074795955444b4e392b63416b584e7643482b494c37494f6a66696567524444704c3834306565456731773877342f515a575a472b614d790a4d444177485159445652304f4242594546455358417a42797756467a4362726a7536794e43484336555268344d41384741315564457745422f7751464d414d420a41663877436759494b6f5a497a6a304541774944526741775177496659716b484272395a355a77536d4145677748487363434a646f44527467637730444173300a767a6e5430674967564b7853426a4f46715358394d515532426e78624f466835374458536430673043707a53786e454b2b47633d0a2d2d2d2d2d454e442043455254494649434154452d2d2d2d2d0a1287020a1e6f72645f30316d386b673679307265376e72667a65716e68776161717a66121e6163635f30316d386b673677786765717238646368306a663734777363381a0f6d756c74692d646f6d61696e2d64762001280332106368616e67696e672e6578616d706c653a106368616e67696e672e6578616d706c6542056e67696e785a5212100a0608809afecc06120608808183dc06180c2001321e696e765f30316d386b6736793170656d3261377a773573376a3870626a623a106368616e67696e672e6578616d706c6550015a0608809afecc06621e6372745f30316d386b6736793366656e7476386e6162637078666466373170037a0608809afecc0682010608808183dc06', NULL, 1795950868586520);

INSERT INTO orders.seaql_migrations VALUES
	('runtime_0001', 1795950865),
	('orders_0001_initial', 1795950865),
	('orders_0002_san_licences', 1795950865),
	('orders_0003_terms', 1795950865),
	('orders_0004_changes', 1795950865),
	('orders_0005_following', 1795950865);

INSERT INTO orders.server VALUES
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'srv_01m8kg6y02e68s61hfj8qfynmd', 'ord_01m8kg6xsve3hr3jzb6bkekyjs', 'one.internal', 'nginx', 'www.example.com', 1, 'REGISTERED', 1772064000000000);

SELECT pg_catalog.setval('orders.outbox_id_seq', 24, true);

ALTER TABLE ONLY orders.certificate
    ADD CONSTRAINT certificate_account_id_fingerprint_sha256_key UNIQUE (account_id, fingerprint_sha256);

ALTER TABLE ONLY orders.certificate_order
    ADD CONSTRAINT certificate_order_pkey PRIMARY KEY (order_id);

ALTER TABLE ONLY orders.certificate
    ADD CONSTRAINT certificate_pkey PRIMARY KEY (certificate_id);

ALTER TABLE ONLY orders.domain_change
    ADD CONSTRAINT domain_change_pkey PRIMARY KEY (order_id);

ALTER TABLE ONLY orders.domain_quote
    ADD CONSTRAINT domain_quote_pkey PRIMARY KEY (quote_id);

ALTER TABLE ONLY orders.early_revocation
    ADD CONSTRAINT early_revocation_pkey PRIMARY KEY (san_certificate_id);

ALTER TABLE ONLY orders.event
    ADD CONSTRAINT event_event_id_key UNIQUE (event_id);

ALTER TABLE ONLY orders.event
    ADD CONSTRAINT event_pkey PRIMARY KEY ("position");

ALTER TABLE ONLY orders.following
    ADD CONSTRAINT following_pkey PRIMARY KEY (source);

ALTER TABLE ONLY orders.operation
    ADD CONSTRAINT operation_pkey PRIMARY KEY (operation_id);

ALTER TABLE ONLY orders.order_invoice
    ADD CONSTRAINT order_invoice_pkey PRIMARY KEY (order_id, invoice_id);

ALTER TABLE ONLY orders.order_name
    ADD CONSTRAINT order_name_pkey PRIMARY KEY (order_id, name);

ALTER TABLE ONLY orders.order_term
    ADD CONSTRAINT order_term_pkey PRIMARY KEY (order_id, term_index);

ALTER TABLE ONLY orders.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY orders.replay
    ADD CONSTRAINT replay_pkey PRIMARY KEY (caller, method, request_id);

ALTER TABLE ONLY orders.seaql_migrations
    ADD CONSTRAINT seaql_migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY orders.server
    ADD CONSTRAINT server_pkey PRIMARY KEY (server_id);

CREATE INDEX certificate_by_age ON orders.certificate USING btree (record_us, certificate_id);

CREATE INDEX certificate_by_order ON orders.certificate USING btree (order_id, record_us, certificate_id);

CREATE INDEX certificate_by_san_certificate ON orders.certificate USING btree (san_certificate_id) WHERE (san_certificate_id IS NOT NULL);

CREATE INDEX certificate_order_by_account ON orders.certificate_order USING btree (account_id, create_us, order_id);

CREATE INDEX certificate_order_by_age ON orders.certificate_order USING btree (create_us, order_id);

CREATE INDEX certificate_order_in_review ON orders.certificate_order USING btree (order_id) WHERE (refund_in_review = 1);

CREATE INDEX certificate_order_to_issue ON orders.certificate_order USING btree (issuance_pending_us, order_id) WHERE (issuance_pending_us IS NOT NULL);

CREATE INDEX certificate_order_to_turn ON orders.certificate_order USING btree (turn_us, order_id) WHERE (turn_us IS NOT NULL);

CREATE INDEX certificate_sans_to_return ON orders.certificate USING btree (revoke_us, certificate_id) WHERE ((san_certificate_id IS NOT NULL) AND (sans_returned_us IS NULL));

CREATE INDEX domain_quote_by_order ON orders.domain_quote USING btree (order_id, expire_us);

CREATE INDEX event_by_resource ON orders.event USING btree (resource_id, "position");

CREATE INDEX operation_due ON orders.operation USING btree (due_us) WHERE (state = 'RUNNING'::text);

CREATE UNIQUE INDEX operation_running_per_resource ON orders.operation USING btree (resource_id) WHERE (state = 'RUNNING'::text);

CREATE INDEX order_name_by_name ON orders.order_name USING btree (name, order_id);

CREATE INDEX replay_by_age ON orders.replay USING btree (recorded_us);

CREATE INDEX server_by_order ON orders.server USING btree (order_id, register_us, server_id);

ALTER TABLE ONLY orders.certificate
    ADD CONSTRAINT certificate_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders.certificate_order(order_id);

ALTER TABLE ONLY orders.domain_change
    ADD CONSTRAINT domain_change_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders.certificate_order(order_id);

ALTER TABLE ONLY orders.domain_quote
    ADD CONSTRAINT domain_quote_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders.certificate_order(order_id);

ALTER TABLE ONLY orders.order_invoice
    ADD CONSTRAINT order_invoice_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders.certificate_order(order_id);

ALTER TABLE ONLY orders.order_name
    ADD CONSTRAINT order_name_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders.certificate_order(order_id);

ALTER TABLE ONLY orders.order_term
    ADD CONSTRAINT order_term_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders.certificate_order(order_id);

ALTER TABLE ONLY orders.server
    ADD CONSTRAINT server_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders.certificate_order(order_id);
