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

CREATE SCHEMA san_licensing;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE san_licensing.certificate (
    account_id text NOT NULL COLLATE pg_catalog."C",
    certificate_id text NOT NULL COLLATE pg_catalog."C",
    license_id text COLLATE pg_catalog."C",
    version bigint NOT NULL,
    issuer_sha256 text NOT NULL COLLATE pg_catalog."C",
    serial_hex text NOT NULL COLLATE pg_catalog."C",
    product_id text NOT NULL COLLATE pg_catalog."C",
    key_type text COLLATE pg_catalog."C",
    names text NOT NULL,
    not_before_us bigint NOT NULL,
    not_after_us bigint NOT NULL,
    record_us bigint NOT NULL,
    until_us bigint NOT NULL,
    revoke_us bigint,
    revoke_reason text COLLATE pg_catalog."C",
    reservation_id text COLLATE pg_catalog."C",
    allocate_us bigint,
    ca_revoke_us bigint
);

CREATE TABLE san_licensing.certificate_san (
    license_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    certificate_id text NOT NULL COLLATE pg_catalog."C",
    is_wildcard integer NOT NULL,
    record_us bigint NOT NULL,
    until_us bigint NOT NULL
);

CREATE TABLE san_licensing.decision (
    license_id text NOT NULL COLLATE pg_catalog."C",
    decision_id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    fingerprint bytea NOT NULL,
    state text NOT NULL COLLATE pg_catalog."C",
    names text NOT NULL,
    decided_us bigint NOT NULL,
    expire_us bigint NOT NULL,
    closed_us bigint,
    quota bigint NOT NULL,
    used bigint NOT NULL,
    reserved bigint NOT NULL,
    needed bigint NOT NULL,
    denial_json text,
    until_us bigint DEFAULT 0 NOT NULL,
    CONSTRAINT decision_state_check CHECK ((state = ANY (ARRAY['GRANTED'::text, 'RELEASED'::text, 'RECORDED'::text, 'DENIED'::text])))
);

CREATE TABLE san_licensing.departure (
    license_id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    certificate_id text NOT NULL COLLATE pg_catalog."C",
    to_license_id text NOT NULL COLLATE pg_catalog."C",
    depart_us bigint NOT NULL
);

CREATE TABLE san_licensing.early_revocation (
    account_id text NOT NULL COLLATE pg_catalog."C",
    issuer_sha256 text NOT NULL COLLATE pg_catalog."C",
    serial_hex text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL COLLATE pg_catalog."C",
    ca_revoke_us bigint,
    record_us bigint NOT NULL,
    kept_us bigint NOT NULL
);

CREATE TABLE san_licensing.event (
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

CREATE TABLE san_licensing.feed (
    feed_id text NOT NULL COLLATE pg_catalog."C",
    opened_by text NOT NULL,
    sequence bigint NOT NULL,
    feed_cursor text NOT NULL,
    fingerprint bytea NOT NULL,
    acknowledgement bytea NOT NULL,
    recorded bigint NOT NULL,
    unallocated bigint NOT NULL,
    revoked bigint NOT NULL,
    kept_for_later bigint NOT NULL,
    already_known bigint NOT NULL,
    refused bigint NOT NULL,
    create_us bigint NOT NULL,
    update_us bigint NOT NULL
);

CREATE TABLE san_licensing.license (
    account_id text NOT NULL COLLATE pg_catalog."C",
    license_id text NOT NULL COLLATE pg_catalog."C",
    progress text NOT NULL COLLATE pg_catalog."C",
    products_json text NOT NULL,
    asked_start_us bigint,
    start_us bigint NOT NULL,
    end_us bigint NOT NULL,
    valid_until_us bigint NOT NULL,
    invoices_json text NOT NULL,
    revision bigint NOT NULL,
    create_us bigint NOT NULL,
    decision_us bigint NOT NULL,
    renewing bigint DEFAULT 0 NOT NULL,
    cancel_us bigint,
    CONSTRAINT license_progress_check CHECK ((progress = ANY (ARRAY['QUOTED'::text, 'ACCEPTING'::text, 'ACTIVE'::text, 'CANCELLED'::text])))
);

CREATE TABLE san_licensing.license_fence (
    license_id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    as_of_us bigint NOT NULL
);

CREATE TABLE san_licensing.license_product (
    account_id text NOT NULL COLLATE pg_catalog."C",
    product_id text NOT NULL COLLATE pg_catalog."C",
    license_id text NOT NULL COLLATE pg_catalog."C",
    settled_us bigint
);

CREATE TABLE san_licensing.license_term (
    license_id text NOT NULL COLLATE pg_catalog."C",
    term_index bigint NOT NULL,
    anchor_us bigint NOT NULL,
    first_month bigint NOT NULL,
    months bigint NOT NULL,
    sold_json text NOT NULL,
    products_json text NOT NULL,
    sold_us bigint NOT NULL,
    options_json text NOT NULL,
    raises_json text NOT NULL,
    bought_late_us bigint
);

CREATE TABLE san_licensing.operation (
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

CREATE TABLE san_licensing.outbox (
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

ALTER TABLE san_licensing.outbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME san_licensing.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE san_licensing.refused_record (
    feed_id text NOT NULL COLLATE pg_catalog."C",
    sequence bigint NOT NULL,
    record_index bigint NOT NULL,
    refusal text NOT NULL COLLATE pg_catalog."C",
    reasons text NOT NULL,
    content bytea NOT NULL,
    content_bytes bigint NOT NULL,
    refuse_us bigint NOT NULL
);

CREATE TABLE san_licensing.replay (
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

CREATE TABLE san_licensing.seaql_migrations (
    version character varying NOT NULL,
    applied_at bigint NOT NULL
);

INSERT INTO san_licensing.certificate VALUES
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'crt_01m8kg6z77ekza83q2nvn0ec6r', 'lic_01m8kg6z0rem9btmbajpavcr18', 4, '58e839bcb6e6474ccee48b4c0031cf43a92a4c30fa1f1665435b73074e8edbc4', 'c0d4662657c44b69ad059709d0c25902', 'san-bundle', 'RSA', 'd:*.a.example
d:a.example
i:10.0.0.1
r:ann@example.com', 1772928000000000, 1780703999000000, 1772928000000000, 1780704000000000, NULL, NULL, NULL, NULL, NULL),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'crt_01m8kg6za3ep58df9km6mv6x4w', 'lic_01m8kg6z0rem9btmbajpavcr18', 6, '58e839bcb6e6474ccee48b4c0031cf43a92a4c30fa1f1665435b73074e8edbc4', 'e751b98cc8747db9d2abf898f42e690', 'san-bundle', 'RSA', 'd:gone.example', 1772928000000000, 1780703999000000, 1772928000000000, 1772928000000000, 1772928000000000, 'SUPERSEDED', NULL, NULL, NULL),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'crt_01m8kg6zd5ev3btncnee3fwrxm', 'lic_01m8kg6z0rem9btmbajpavcr18', 9, '58e839bcb6e6474ccee48b4c0031cf43a92a4c30fa1f1665435b73074e8edbc4', 'd9d653ad86c94b4c9fad70fdca4d6dd3', 'san-bundle', 'RSA', 'd:fed.example', 1772928000000000, 1780703999000000, 1772928000000000, 1780704000000000, NULL, NULL, NULL, NULL, NULL),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'crt_01m8kg6zegeae852s3ybvj3hpp', NULL, 0, '58e839bcb6e6474ccee48b4c0031cf43a92a4c30fa1f1665435b73074e8edbc4', '82bf86c15d074e35b237cacccf5f68fc', 'nothing-sold', 'RSA', 'd:stray.example', 1772928000000000, 1780703999000000, 1772928000000000, 1780704000000000, NULL, NULL, NULL, NULL, NULL),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'crt_01m8kg6zd5ev3btncnek4fpmhk', 'lic_01m8kg6z0rem9btmbajpavcr18', 10, '58e839bcb6e6474ccee48b4c0031cf43a92a4c30fa1f1665435b73074e8edbc4', '6bf13c5acbb34ce79219db5de29eed61', 'san-bundle', 'RSA', 'd:back.example', 1772928000000000, 1780703999000000, 1772928000000000, 1772928000000000, 1772928000000000, 'KEY_COMPROMISE', NULL, NULL, 1772928000000000);

INSERT INTO san_licensing.certificate_san VALUES
	('lic_01m8kg6z0rem9btmbajpavcr18', 'd:*.a.example', 'crt_01m8kg6z77ekza83q2nvn0ec6r', 1, 1772928000000000, 1780704000000000),
	('lic_01m8kg6z0rem9btmbajpavcr18', 'd:a.example', 'crt_01m8kg6z77ekza83q2nvn0ec6r', 0, 1772928000000000, 1780704000000000),
	('lic_01m8kg6z0rem9btmbajpavcr18', 'i:10.0.0.1', 'crt_01m8kg6z77ekza83q2nvn0ec6r', 0, 1772928000000000, 1780704000000000),
	('lic_01m8kg6z0rem9btmbajpavcr18', 'r:ann@example.com', 'crt_01m8kg6z77ekza83q2nvn0ec6r', 0, 1772928000000000, 1780704000000000),
	('lic_01m8kg6z0rem9btmbajpavcr18', 'd:gone.example', 'crt_01m8kg6za3ep58df9km6mv6x4w', 0, 1772928000000000, 1772928000000000),
	('lic_01m8kg6z0rem9btmbajpavcr18', 'd:fed.example', 'crt_01m8kg6zd5ev3btncnee3fwrxm', 0, 1772928000000000, 1780704000000000),
	('lic_01m8kg6z0rem9btmbajpavcr18', 'd:back.example', 'crt_01m8kg6zd5ev3btncnek4fpmhk', 0, 1772928000000000, 1772928000000000);

INSERT INTO san_licensing.decision VALUES
	('lic_01m8kg6z0rem9btmbajpavcr18', 'f6d5439b-5c4b-5d21-8ab7-8e60df162e53', 7, '\xb454b1db174d1b3ab097b0063e1658f86df7b84c7d986bb33473310fb0ed75d4', 'GRANTED', 'd:held.example', 1772928000000000, 1772928900000000, NULL, 20, 8, 0, 1, NULL, 1780704000000000),
	('lic_01m8kg6z0rem9btmbajpavcr18', '0ef3a1fd-bf47-50db-b441-1f7b12abfc06', 8, '\x47b1726e1fcca681ed26cff633c6620a530fdcdecef237e1c1ffac4cb58793e8', 'GRANTED', 'd:let-go.example', 1772928000000000, 1772928900000000, NULL, 20, 8, 1, 1, NULL, 1780704000000000),
	('lic_01m8kg6z0rem9btmbajpavcr18', '78d9c6b2-1685-5da5-b567-1834fa8c33de', 13, '\xa36b97100a3eaea37dd45b88a9981a9bfbfa771df710a216068105b2a4edfb1b', 'GRANTED', 'd:asked.example', 1773187200000000, 1773188100000000, NULL, 25, 9, 0, 1, NULL, 1780963200000000),
	('lic_01m8kg6z0rem9btmbajpavcr18', 'a526c76c-38ad-5861-b9e6-7a0aea2ed48f', 14, '\xcbff04d03dbe98e4fc2b4baa137b0df80635c73e349942ae7665a448c29cd2f3', 'GRANTED', 'd:d.example
d:drawn.example', 1773187200000000, 1773188100000000, NULL, 25, 9, 1, 2, NULL, 1780963200000000);

INSERT INTO san_licensing.event VALUES
	(1, '01a22703-7c1f-7534-bab4-9f43a546a36c', 'licet.sanlicensing.license.quoted.v1', 'lic_01m8kg6z0rem9btmbajpavcr18', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772928000000000, 'local-operator', 'f91fe0f8-04de-4627-8203-ad7af7f4d485', '/licet.sanlicensing.v1.LicenseService/QuoteLicense', 'SL-7', 'QUOTED', '{"by_hand":false,"currency":"USD","price":"240.00","products":["san-bundle"],"quota":20,"term_months":12,"valid_until_time":"2026-04-07T00:00:00.000000Z"}', '\x59c411e2135990d183dc217590d558da1ce1e2e78898801713142bbaff4c8b31'),
	(2, '01a22703-7c61-739f-bb92-1866654fca05', 'licet.sanlicensing.license.accepted.v1', 'lic_01m8kg6z0rem9btmbajpavcr18', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772928000000000, 'local-operator', 'd6dbc8e3-7224-4839-b27f-5a63e93d867c', '/licet.sanlicensing.v1.LicenseService/AcceptLicense', 'SL-20', 'ACCEPTING', '{"end_time":"2027-03-08T00:00:00.000000Z","operation_id":"op_01m8kg6z2me2gbf33q1vqn9fef","products":["san-bundle"],"start_time":"2026-03-08T00:00:00.000000Z"}', '\x7d0f5747ab9ef072c44cf1a5a45317e160b8f4bebec67542c22e1eacd87dbc4e'),
	(3, '01a22703-7ccb-7681-b55b-82bd119d8bcb', 'licet.sanlicensing.license.charged.v1', 'lic_01m8kg6z0rem9btmbajpavcr18', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772928000000000, 'local-operator', 'd6dbc8e3-7224-4839-b27f-5a63e93d867c', '/licet.sanlicensing.v1.LicenseService/AcceptLicense', 'T-4', 'ACTIVE', '{"currency":"USD","invoice_id":"inv_01m8kg6z4fecc973zs4r436j0t","quota":20,"total":"240.00"}', '\xf963289681dc5a5a54f6d829dd16069d9cf3b227a7f03b6eda984a76650e6359'),
	(4, '01a22703-7ce3-7462-b31d-7f17554e86cb', 'licet.sanlicensing.license.quoted.v1', 'lic_01m8kg6z6ze8vsa5yvjrrk9gd6', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772928000000000, 'local-operator', 'f14274c7-ac4d-451b-ae90-53f0b278a248', '/licet.sanlicensing.v1.LicenseService/QuoteLicense', 'SL-7', 'QUOTED', '{"by_hand":false,"currency":"USD","price":"360.00","products":["san-bundle"],"quota":30,"term_months":12,"valid_until_time":"2026-04-07T00:00:00.000000Z"}', '\xa7255a1f01f8ddc88766847854cd321f0be45a91fe798fd0ad4a99906e7981e0'),
	(5, '01a22703-7d3f-7678-b64a-866f17a7f614', 'licet.sanlicensing.usage.changed.v1', 'lic_01m8kg6z0rem9btmbajpavcr18', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772928000000000, 'local-operator', '00c2fd31-58e2-4a3b-84b7-0187453b3bcf', '/licet.sanlicensing.v1.IssuanceService/RecordCertificate', 'SL-12', 'WITHIN_QUOTA', '{"allocated":[],"denied":0,"further_callers":[],"granted":[],"left":[],"quota":20,"recorded":["crt_01m8kg6z77ekza83q2nvn0ec6r"],"released":[],"reserved":0,"revoked":[],"used":8,"version":4}', '\x18bf7e0f541d5d3f0a3ae29a3b5bd71c051e402ea57340c5eea3a6ba51bb6130'),
	(6, '01a22703-7d54-739a-92f4-d85342616a94', 'licet.sanlicensing.usage.changed.v1', 'lic_01m8kg6z0rem9btmbajpavcr18', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772928000000000, 'local-operator', 'a23bc3c6-ff84-41c9-8e7e-4208a1b9c30c', '/licet.sanlicensing.v1.IssuanceService/RecordCertificate', 'SL-12', 'WITHIN_QUOTA', '{"allocated":[],"denied":0,"further_callers":[],"granted":[],"left":[],"quota":20,"recorded":["crt_01m8kg6za3ep58df9km6mv6x4w"],"released":[],"reserved":0,"revoked":[],"used":9,"version":5}', '\x1d8b6a01f18e0c97285e5866bb41fbf7b9b3e8c6eff4aa5bd40754435edaf1dc'),
	(7, '01a22703-7d78-71d0-adaf-7133c1a28aec', 'licet.sanlicensing.usage.changed.v1', 'lic_01m8kg6z0rem9btmbajpavcr18', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772928000000000, 'local-operator', '1f66d2ef-fdbb-4bc1-b505-977cb592686c', '/licet.sanlicensing.v1.IssuanceService/RevokeCertificates', 'SL-12', 'WITHIN_QUOTA', '{"allocated":[],"denied":0,"further_callers":[],"granted":[],"left":[],"quota":20,"recorded":[],"released":[],"reserved":0,"revoked":[{"caller":"local-operator","certificate_ids":["crt_01m8kg6za3ep58df9km6mv6x4w"],"method":"/licet.sanlicensing.v1.IssuanceService/RevokeCertificates","reason":"SUPERSEDED","request_id":"1f66d2ef-fdbb-4bc1-b505-977cb592686c"}],"used":8,"version":6}', '\xf85686e558c357f225ba542200aa4a2f25ac7e030a0b4d2d9e413e625d9f67c8'),
	(8, '01a22703-7d84-76eb-91f2-1813545debe1', 'licet.sanlicensing.usage.changed.v1', 'lic_01m8kg6z0rem9btmbajpavcr18', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772928000000000, 'local-operator', '51e0db59-c88d-463f-8284-6cac8ea43ae4', '/licet.sanlicensing.v1.IssuanceService/AuthorizeIssuance', 'SL-12', 'WITHIN_QUOTA', '{"allocated":[],"denied":0,"further_callers":[],"granted":["rsv_7ptn1spq2bbmgrndwec3fhcbjk"],"left":[],"quota":20,"recorded":[],"released":[],"reserved":1,"revoked":[],"used":8,"version":7}', '\x5c30736b510a6c61b92f827607c163b868a088d8e27a6c988308f9fcfe40fbfa'),
	(9, '01a22703-7d91-736a-91c0-33c0e9907dd2', 'licet.sanlicensing.usage.changed.v1', 'lic_01m8kg6z0rem9btmbajpavcr18', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772928000000000, 'local-operator', '9ea7492a-468e-4c22-a189-54fa032da1d3', '/licet.sanlicensing.v1.IssuanceService/AuthorizeIssuance', 'SL-12', 'WITHIN_QUOTA', '{"allocated":[],"denied":0,"further_callers":[],"granted":["rsv_0eyegzvft7a3dv8g8zfc9aqz06"],"left":[],"quota":20,"recorded":[],"released":[],"reserved":2,"revoked":[],"used":8,"version":8}', '\x7fde433101caf3de2908609ef0da7366cc6ea93dc465e0a3e1171578897d7d67'),
	(10, '01a22703-7dc6-7019-9d29-9813397b3fa6', 'licet.sanlicensing.usage.changed.v1', 'lic_01m8kg6z0rem9btmbajpavcr18', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772928000000000, 'local-operator', 'ca-1/1', '/licet.sanlicensing.v1.IngestService/IngestCertificates', 'SL-12', 'WITHIN_QUOTA', '{"allocated":[],"denied":0,"further_callers":[],"granted":[],"left":[],"quota":20,"recorded":["crt_01m8kg6zd5ev3btncnee3fwrxm","crt_01m8kg6zd5ev3btncnek4fpmhk"],"released":[],"reserved":2,"revoked":[],"used":10,"version":9}', '\xa280bb13e4347d345a0e8925ba5463402579f8e3e17f941cf321fb3cdbe59307'),
	(11, '01a22703-7dc6-7019-9d29-9814711d1e0a', 'licet.sanlicensing.feed.advanced.v1', 'ca-1', '', 1772928000000000, 'local-operator', 'ca-1/1', '/licet.sanlicensing.v1.IngestService/IngestCertificates', 'SL-14', 'TAKEN', '{"already_known":0,"cursor":"after 1","kept_for_later":0,"recorded":2,"refused":0,"revoked":0,"sequence":1,"unallocated":0}', '\x15be28e56ff758248194fb7c076c56ac3c69e94c1d7ea8d3dd9f77895bf5aa10'),
	(12, '01a22703-7e16-7767-9b6c-74ff376c6364', 'licet.sanlicensing.usage.changed.v1', 'lic_01m8kg6z0rem9btmbajpavcr18', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772928000000000, 'local-operator', 'ca-1/2', '/licet.sanlicensing.v1.IngestService/IngestCertificates', 'SL-12', 'WITHIN_QUOTA', '{"allocated":[],"denied":0,"further_callers":[],"granted":[],"left":[],"quota":20,"recorded":[],"released":[],"reserved":2,"revoked":[{"caller":"local-operator","certificate_ids":["crt_01m8kg6zd5ev3btncnek4fpmhk"],"method":"/licet.sanlicensing.v1.IngestService/IngestCertificates","reason":"KEY_COMPROMISE","request_id":"ca-1/2"}],"used":9,"version":10}', '\xa9d41eabf5a1ac08481d797f748946febc7fe83b735b45e1fa79b236243fb32f'),
	(13, '01a22703-7e16-7767-9b6c-7500288cf86f', 'licet.sanlicensing.certificates.unallocated.v1', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1772928000000000, 'local-operator', 'ca-1/2', '/licet.sanlicensing.v1.IngestService/IngestCertificates', 'SL-16', 'UNALLOCATED', '{"certificates":["crt_01m8kg6zegeae852s3ybvj3hpp"]}', '\xc66ec81492a166e99781656a95416a2aa00a521d207c9daa91a537a17c889c6c'),
	(14, '01a22703-7e16-7767-9b6c-75017882aae1', 'licet.sanlicensing.feed.advanced.v1', 'ca-1', '', 1772928000000000, 'local-operator', 'ca-1/2', '/licet.sanlicensing.v1.IngestService/IngestCertificates', 'SL-14', 'TAKEN', '{"already_known":0,"cursor":"after 2","kept_for_later":0,"recorded":0,"refused":0,"revoked":1,"sequence":2,"unallocated":1}', '\x548b7c9576738c96f4180a8156cfe00a9384239a2ea08af11162986221b93674'),
	(15, '01a22703-7e25-701c-a048-01531457e71d', 'licet.sanlicensing.quota_increase.accepted.v1', 'lic_01m8kg6z0rem9btmbajpavcr18', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1773187200000000, 'local-operator', 'b94f3ea9-e8dc-4389-aeff-41f4fc7d8623', '/licet.sanlicensing.v1.LicenseService/IncreaseQuota', 'SL-8', 'CHARGING', '{"new_quota":25,"operation_id":"op_01m8kg6zh2e318wbtabdtxeayd","quota":20}', '\x9de153ec2fa77d8e4bfcac98c9243a6eb45caa113cc7098fbe5fc604a534a704'),
	(16, '01a22703-7ea2-7164-a6d1-2dc221b0afb0', 'licet.sanlicensing.quota_increase.charged.v1', 'lic_01m8kg6z0rem9btmbajpavcr18', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1773187200000000, 'local-operator', 'b94f3ea9-e8dc-4389-aeff-41f4fc7d8623', '/licet.sanlicensing.v1.LicenseService/IncreaseQuota', 'SL-8', 'ACTIVE', '{"currency":"USD","invoice_id":"inv_01m8kg6zkeesrs58sw9kyavmq2","old_quota":20,"quota":25,"total":"59.52"}', '\xee606d4dab6f3d2f4b1687a68302bd4c2ffdf0b72606563de117b4177611b8ca'),
	(17, '01a22703-7eee-75e8-95bc-83f1c1020df6', 'licet.sanlicensing.usage.changed.v1', 'lic_01m8kg6z0rem9btmbajpavcr18', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1773187200000000, 'local-operator', '1ee278da-66ee-44d5-a3cd-bc16554b6fad', '/licet.sanlicensing.v1.IssuanceService/AuthorizeIssuance', 'SL-12', 'WITHIN_QUOTA', '{"allocated":[],"denied":0,"further_callers":[],"granted":["rsv_3rv73b45m5bpjvasrr6kx8rcyy"],"left":[],"quota":25,"recorded":[],"released":[],"reserved":1,"revoked":[],"used":9,"version":13}', '\xe3c0cd869fdbee72cfa635dded0f83319121e89c504d57ecab95a8d1e9c8a515'),
	(18, '01a22703-7fc5-7610-9001-b3980c5f9e25', 'licet.sanlicensing.usage.changed.v1', 'lic_01m8kg6z0rem9btmbajpavcr18', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 1773187200000000, 'orders', 'e7ba89bd-b170-533a-8015-d9f6e38c3d9b', '/licet.sanlicensing.v1.IssuanceService/AuthorizeIssuance', 'SL-12', 'WITHIN_QUOTA', '{"allocated":[],"denied":0,"further_callers":[],"granted":["rsv_554v3pre5db1gvkskt1bn2xn4f"],"left":[],"quota":25,"recorded":[],"released":[],"reserved":3,"revoked":[],"used":9,"version":14}', '\x768670badaa2626f50b9b734c93d673bce9bccbe93fff731aa27689c60bc763b');

INSERT INTO san_licensing.feed VALUES
	('ca-1', 'local-operator', 2, 'after 2', '\xab0518862ed151af160b0544eec2a5a7ed3182e5f1af696f395d7cc5546f7d1c', '\x0a0463612d311207616674657220321802220410011801', 2, 1, 1, 0, 0, 0, 1772928000000000, 1772928000000000);

INSERT INTO san_licensing.license VALUES
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'lic_01m8kg6z6ze8vsa5yvjrrk9gd6', 'QUOTED', '["san-bundle"]', NULL, 1772928000000000, 1804464000000000, 1775520000000000, '[]', 1, 1772928000000000, 1772928000000000, 0, NULL),
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'lic_01m8kg6z0rem9btmbajpavcr18', 'ACTIVE', '["san-bundle"]', NULL, 1772928000000000, 1804464000000000, 1775520000000000, '["inv_01m8kg6z4fecc973zs4r436j0t","inv_01m8kg6zkeesrs58sw9kyavmq2"]', 4, 1772928000000000, 1773187200000000, 0, NULL);

INSERT INTO san_licensing.license_fence VALUES
	('lic_01m8kg6z6ze8vsa5yvjrrk9gd6', 1, 1772928000000000),
	('lic_01m8kg6z0rem9btmbajpavcr18', 14, 1773187200000000);

INSERT INTO san_licensing.license_product VALUES
	('acc_01m8kg6wxgeqr8dch0jf74wsc8', 'san-bundle', 'lic_01m8kg6z0rem9btmbajpavcr18', 1773187200000000);

INSERT INTO san_licensing.license_term VALUES
	('lic_01m8kg6z6ze8vsa5yvjrrk9gd6', 0, 1772928000000000, 0, 12, '{"product_id":"san-bundle","product_version":1,"price_time":"2026-03-08T00:00:00.000000Z","quota":30,"amount":{"currency":"USD","minor":36000},"unit_price":{"currency":"USD","micros":12000000},"by_hand":false}', '["san-bundle"]', 1772928000000000, '{"wildcards_allowed":true,"wildcard_multiplier":5,"key_types":["RSA","ECC"],"longest_validity_days":null,"may_outlive":true,"longest_term_months":null}', '[]', NULL),
	('lic_01m8kg6z0rem9btmbajpavcr18', 0, 1772928000000000, 0, 12, '{"product_id":"san-bundle","product_version":1,"price_time":"2026-03-08T00:00:00.000000Z","quota":20,"amount":{"currency":"USD","minor":24000},"unit_price":{"currency":"USD","micros":12000000},"by_hand":false}', '["san-bundle"]', 1772928000000000, '{"wildcards_allowed":true,"wildcard_multiplier":5,"key_types":["RSA","ECC"],"longest_validity_days":null,"may_outlive":true,"longest_term_months":null}', '[{"time":"2026-03-11T00:00:00.000000Z","quota":25}]', NULL);

INSERT INTO san_licensing.operation VALUES
	('op_01m8kg6z2me2gbf33q1vqn9fef', 'ACCEPT_LICENSE', 'lic_01m8kg6z0rem9btmbajpavcr18', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 'DONE', 'charge', '{"AcceptLicense":{"license_id":"lic_01m8kg6z0rem9btmbajpavcr18","account_id":"acc_01m8kg6wxgeqr8dch0jf74wsc8","origin":{"caller":"local-operator","method":"/licet.sanlicensing.v1.LicenseService/AcceptLicense","request_id":"d6dbc8e3-7224-4839-b27f-5a63e93d867c"},"decision_time":"2026-03-08T00:00:00.000000Z","price":{"currency":"USD","minor":24000},"stage":{"Charge":{"quote":"0a1e7174655f30316d386b67367a336365777961626330317778356470356e36121e6163635f30316d386b673677786765717238646368306a663734777363381a1e6c69635f30316d386b67367a3072656d3962746d62616a7061766372313822200a1e6c69635f30316d386b67367a3072656d3962746d62616a706176637231382aac01080110051a1453414e2071756f74612c203132206d6f6e746873220a73616e2d62756e646c65280130143a0c0a03555344120531322e303042100a060880f8b2cd0612060880dfb7dc064a100a060880f8b2cd0612060880dfb7dc065201315801620d0a0355534412063234302e30306a04534c2d37722c726f756e642831322e30302055534420c39720323020c3972031322f313229203d203234302e3030205553447a060880f8b2cd06320d0a0355534412063234302e30303a060880f8b2cd0642060884ffb2cd064801"}}}}', 2, 1772928000000000, 1772928000000000, 1795950871627815, 0, '', '\x0add010a1e6c69635f30316d386b67367a3072656d3962746d62616a70617663723138121e6163635f30316d386b673677786765717238646368306a663734777363381802220a73616e2d62756e646c652814320a080110051a02010228013a4d0a100a060880f8b2cd0612060880dfb7dc06100c1a0d0a0355534412063234302e3030220c0a03555344120531322e303028143014420a080110051a02010228014a0a73616e2d62756e646c654206088092d1ce064a1e696e765f30316d386b67367a34666563633937337a7334723433366a3074580362060880f8b2cd0612f2020a1e7174655f30316d386b67367a336365777961626330317778356470356e36121e6163635f30316d386b673677786765717238646368306a663734777363381a1e6c69635f30316d386b67367a3072656d3962746d62616a7061766372313822200a1e6c69635f30316d386b67367a3072656d3962746d62616a706176637231382aac01080110051a1453414e2071756f74612c203132206d6f6e746873220a73616e2d62756e646c65280130143a0c0a03555344120531322e303042100a060880f8b2cd0612060880dfb7dc064a100a060880f8b2cd0612060880dfb7dc065201315801620d0a0355534412063234302e30306a04534c2d37722c726f756e642831322e30302055534420c39720323020c3972031322f313229203d203234302e3030205553447a060880f8b2cd06320d0a0355534412063234302e30303a060880f8b2cd0642060884ffb2cd064802521e696e765f30316d386b67367a34666563633937337a7334723433366a3074'),
	('op_01m8kg6zh2e318wbtabdtxeayd', 'INCREASE_QUOTA', 'lic_01m8kg6z0rem9btmbajpavcr18', 'acc_01m8kg6wxgeqr8dch0jf74wsc8', 'DONE', 'charge', '{"IncreaseQuota":{"license_id":"lic_01m8kg6z0rem9btmbajpavcr18","account_id":"acc_01m8kg6wxgeqr8dch0jf74wsc8","origin":{"caller":"local-operator","method":"/licet.sanlicensing.v1.LicenseService/IncreaseQuota","request_id":"b94f3ea9-e8dc-4389-aeff-41f4fc7d8623"},"decision_time":"2026-03-11T00:00:00.000000Z","quota":25,"stage":{"Charge":{"quote":"0a1e7174655f30316d386b67367a687865677a38647363746678717838686b67121e6163635f30316d386b673677786765717238646368306a663734777363381a1e6c69635f30316d386b67367a3072656d3962746d62616a7061766372313822200a1e6c69635f30316d386b67367a3072656d3962746d62616a706176637231382ac301080110061a2553414e2071756f746120696e6372656173652c2072657374206f66203132206d6f6e746873220a73616e2d62756e646c65280130053a0c0a03555344120531322e303042100a060880f8b2cd0612060880dfb7dc064a100a060880e1c2cd0612060880dfb7dc0652073132332f3132345801620c0a03555344120535392e35326a04534c2d387235726f756e642831322e30302055534420c397203520c3972031322f313220c397203132332f31323429203d2035392e353220555344320c0a03555344120535392e35323a060880e1c2cd0642060884e8c2cd064801"}}}}', 2, 1773187200000000, 1773187200000000, 1795950872100134, 0, '', '\x0a89020a1e6c69635f30316d386b67367a3072656d3962746d62616a70617663723138121e6163635f30316d386b673677786765717238646368306a663734777363381802220a73616e2d62756e646c652819320a080110051a02010228013a590a100a060880f8b2cd0612060880dfb7dc06100c1a0d0a0355534412063234302e3030220c0a03555344120531322e3030281930143a0a0a060880e1c2cd061019420a080110051a02010228014a0a73616e2d62756e646c654206088092d1ce064a1e696e765f30316d386b67367a34666563633937337a7334723433366a30744a1e696e765f30316d386b67367a6b656573727335387377396b7961766d7132580462060880f8b2cd061288030a1e7174655f30316d386b67367a687865677a38647363746678717838686b67121e6163635f30316d386b673677786765717238646368306a663734777363381a1e6c69635f30316d386b67367a3072656d3962746d62616a7061766372313822200a1e6c69635f30316d386b67367a3072656d3962746d62616a706176637231382ac301080110061a2553414e2071756f746120696e6372656173652c2072657374206f66203132206d6f6e746873220a73616e2d62756e646c65280130053a0c0a03555344120531322e303042100a060880f8b2cd0612060880dfb7dc064a100a060880e1c2cd0612060880dfb7dc0652073132332f3132345801620c0a03555344120535392e35326a04534c2d387235726f756e642831322e30302055534420c397203520c3972031322f313220c397203132332f31323429203d2035392e353220555344320c0a03555344120535392e35323a060880e1c2cd0642060884e8c2cd064802521e696e765f30316d386b67367a6b656573727335387377396b7961766d7132');

INSERT INTO san_licensing.replay VALUES
	('local-operator', '/licet.sanlicensing.v1.LicenseService/QuoteLicense', 'f91fe0f8-04de-4627-8203-ad7af7f4d485', '\x4b5f0d85090dd369caa92ce998b4dc756f685e7d41edbf4dc8dee90fbe3d914e', 'ANSWER', '\x0aab010a1e6c69635f30316d386b67367a3072656d3962746d62616a70617663723138121e6163635f30316d386b673677786765717238646368306a663734777363381801220a73616e2d62756e646c652814320a080110051a02010228013a3b100c1a0d0a0355534412063234302e3030220c0a03555344120531322e303028143014420a080110051a02010228014a0a73616e2d62756e646c654206088092d1ce06580162060880f8b2cd0612f001121e6163635f30316d386b673677786765717238646368306a663734777363382aac01080110051a1453414e2071756f74612c203132206d6f6e746873220a73616e2d62756e646c65280130143a0c0a03555344120531322e303042100a060880f8b2cd0612060880dfb7dc064a100a060880f8b2cd0612060880dfb7dc065201315801620d0a0355534412063234302e30306a04534c2d37722c726f756e642831322e30302055534420c39720323020c3972031322f313229203d203234302e3030205553447a060880f8b2cd06320d0a0355534412063234302e30303a060880f8b2cd0642060884ffb2cd064801', NULL, 1795950869528507),
	('local-operator', '/licet.sanlicensing.v1.LicenseService/AcceptLicense', 'd6dbc8e3-7224-4839-b27f-5a63e93d867c', '\xbb630b71a1ccada3c9f586945b284cb0070befd4defac19d8e81c01035f4a3ff', 'OPERATION', NULL, 'op_01m8kg6z2me2gbf33q1vqn9fef', 1795950869550908),
	('local-operator', '/licet.sanlicensing.v1.LicenseService/QuoteLicense', 'f14274c7-ac4d-451b-ae90-53f0b278a248', '\x8e7ec3ada4d885dc9b9a124783f8bb89182dbcb0cf5ce0d31695f639106f738a', 'ANSWER', '\x0aab010a1e6c69635f30316d386b67367a367a65387673613579766a72726b39676436121e6163635f30316d386b673677786765717238646368306a663734777363381801220a73616e2d62756e646c65281e320a080110051a02010228013a3b100c1a0d0a0355534412063336302e3030220c0a03555344120531322e3030281e301e420a080110051a02010228014a0a73616e2d62756e646c654206088092d1ce06580162060880f8b2cd0612f001121e6163635f30316d386b673677786765717238646368306a663734777363382aac01080110051a1453414e2071756f74612c203132206d6f6e746873220a73616e2d62756e646c652801301e3a0c0a03555344120531322e303042100a060880f8b2cd0612060880dfb7dc064a100a060880f8b2cd0612060880dfb7dc065201315801620d0a0355534412063336302e30306a04534c2d37722c726f756e642831322e30302055534420c39720333020c3972031322f313229203d203336302e3030205553447a060880f8b2cd06320d0a0355534412063336302e30303a060880f8b2cd0642060884ffb2cd064801', NULL, 1795950869727509),
	('local-operator', '/licet.sanlicensing.v1.IssuanceService/RecordCertificate', '00c2fd31-58e2-4a3b-84b7-0187453b3bcf', '\x88071ee0c918a6cacc49b8edb3d1fa4b5f3ae047fd00b455c6afc8552ac958ab', 'ANSWER', '\x0ab7020a1e6372745f30316d386b67367a3737656b7a61383371326e766e3065633672121e6c69635f30316d386b67367a3072656d3962746d62616a706176637231381a1e6163635f30316d386b673677786765717238646368306a66373477736338220a73616e2d62756e646c652a2063306434363632363537633434623639616430353937303964306332353930323240353865383339626362366536343734636365653438623463303033316366343361393261346333306661316631363635343335623733303734653865646263343a0f0801120b2a2e612e6578616d706c653a0d08011209612e6578616d706c653a0c0802120831302e302e302e313a130803120f616e6e406578616d706c652e636f6d42060880f8b2cd064a0608ffc58dd10650015a060880f8b2cd0662060880c68dd1067801', NULL, 1795950869818017),
	('local-operator', '/licet.sanlicensing.v1.IssuanceService/RecordCertificate', 'a23bc3c6-ff84-41c9-8e7e-4208a1b9c30c', '\x43d58907c03073efb98e913183aa75e651ba7093ac034e420c51640eadf87752', 'ANSWER', '\x0a85020a1e6372745f30316d386b67367a6133657035386466396b6d366d7636783477121e6c69635f30316d386b67367a3072656d3962746d62616a706176637231381a1e6163635f30316d386b673677786765717238646368306a66373477736338220a73616e2d62756e646c652a1f653735316239386363383734376462396432616266383938663432653639303240353865383339626362366536343734636365653438623463303033316366343361393261346333306661316631363635343335623733303734653865646263343a100801120c676f6e652e6578616d706c6542060880f8b2cd064a0608ffc58dd10650015a060880f8b2cd0662060880c68dd1067801', NULL, 1795950869843013),
	('local-operator', '/licet.sanlicensing.v1.IssuanceService/RevokeCertificates', '1f66d2ef-fdbb-4bc1-b505-977cb592686c', '\x99b52b0e75fb323f07feccf97fe4af76628c04d34d1a52cc3b292bc92e5f8411', 'ANSWER', '\x0a8f020a1e6372745f30316d386b67367a6133657035386466396b6d366d7636783477121e6c69635f30316d386b67367a3072656d3962746d62616a706176637231381a1e6163635f30316d386b673677786765717238646368306a66373477736338220a73616e2d62756e646c652a1f653735316239386363383734376462396432616266383938663432653639303240353865383339626362366536343734636365653438623463303033316366343361393261346333306661316631363635343335623733303734653865646263343a100801120c676f6e652e6578616d706c6542060880f8b2cd064a0608ffc58dd10650015a060880f8b2cd0662060880f8b2cd066a060880f8b2cd0670047802', NULL, 1795950869879557),
	('local-operator', '/licet.sanlicensing.v1.LicenseService/IncreaseQuota', 'b94f3ea9-e8dc-4389-aeff-41f4fc7d8623', '\xf52148393112522555de54cb6b323b0a83d5820d4e49a4ee189949d5bcbc8ad7', 'OPERATION', NULL, 'op_01m8kg6zh2e318wbtabdtxeayd', 1795950870043718);

INSERT INTO san_licensing.seaql_migrations VALUES
	('runtime_0001', 1795950868),
	('san_licensing_0001_initial', 1795950869),
	('san_licensing_0002_terms', 1795950869),
	('san_licensing_0003_ingest', 1795950869);

SELECT pg_catalog.setval('san_licensing.outbox_id_seq', 18, true);

ALTER TABLE ONLY san_licensing.certificate
    ADD CONSTRAINT certificate_account_id_issuer_sha256_serial_hex_key UNIQUE (account_id, issuer_sha256, serial_hex);

ALTER TABLE ONLY san_licensing.certificate
    ADD CONSTRAINT certificate_pkey PRIMARY KEY (certificate_id);

ALTER TABLE ONLY san_licensing.certificate_san
    ADD CONSTRAINT certificate_san_pkey PRIMARY KEY (license_id, name, certificate_id);

ALTER TABLE ONLY san_licensing.decision
    ADD CONSTRAINT decision_pkey PRIMARY KEY (decision_id);

ALTER TABLE ONLY san_licensing.departure
    ADD CONSTRAINT departure_pkey PRIMARY KEY (license_id, version, certificate_id);

ALTER TABLE ONLY san_licensing.early_revocation
    ADD CONSTRAINT early_revocation_pkey PRIMARY KEY (account_id, issuer_sha256, serial_hex);

ALTER TABLE ONLY san_licensing.event
    ADD CONSTRAINT event_event_id_key UNIQUE (event_id);

ALTER TABLE ONLY san_licensing.event
    ADD CONSTRAINT event_pkey PRIMARY KEY ("position");

ALTER TABLE ONLY san_licensing.feed
    ADD CONSTRAINT feed_pkey PRIMARY KEY (feed_id);

ALTER TABLE ONLY san_licensing.license_fence
    ADD CONSTRAINT license_fence_pkey PRIMARY KEY (license_id);

ALTER TABLE ONLY san_licensing.license
    ADD CONSTRAINT license_pkey PRIMARY KEY (license_id);

ALTER TABLE ONLY san_licensing.license_product
    ADD CONSTRAINT license_product_pkey PRIMARY KEY (account_id, product_id);

ALTER TABLE ONLY san_licensing.license_term
    ADD CONSTRAINT license_term_pkey PRIMARY KEY (license_id, term_index);

ALTER TABLE ONLY san_licensing.operation
    ADD CONSTRAINT operation_pkey PRIMARY KEY (operation_id);

ALTER TABLE ONLY san_licensing.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY san_licensing.refused_record
    ADD CONSTRAINT refused_record_pkey PRIMARY KEY (feed_id, sequence, record_index);

ALTER TABLE ONLY san_licensing.replay
    ADD CONSTRAINT replay_pkey PRIMARY KEY (caller, method, request_id);

ALTER TABLE ONLY san_licensing.seaql_migrations
    ADD CONSTRAINT seaql_migrations_pkey PRIMARY KEY (version);

CREATE INDEX certificate_by_age ON san_licensing.certificate USING btree (license_id, record_us, certificate_id);

CREATE INDEX certificate_by_version ON san_licensing.certificate USING btree (license_id, version);

CREATE INDEX certificate_unallocated ON san_licensing.certificate USING btree (account_id, product_id, certificate_id) WHERE (license_id IS NULL);

CREATE INDEX certificate_unallocated_by_age ON san_licensing.certificate USING btree (record_us, certificate_id) WHERE (license_id IS NULL);

CREATE INDEX decision_by_version ON san_licensing.decision USING btree (license_id, version);

CREATE INDEX decision_held ON san_licensing.decision USING btree (license_id, expire_us) WHERE (state = 'GRANTED'::text);

CREATE INDEX early_revocation_by_age ON san_licensing.early_revocation USING btree (kept_us);

CREATE INDEX event_by_resource ON san_licensing.event USING btree (resource_id, "position");

CREATE INDEX license_by_account ON san_licensing.license USING btree (account_id, create_us, license_id);

CREATE INDEX license_by_age ON san_licensing.license USING btree (create_us, license_id);

CREATE INDEX license_product_unsettled ON san_licensing.license_product USING btree (account_id, product_id) WHERE (settled_us IS NULL);

CREATE INDEX operation_due ON san_licensing.operation USING btree (due_us) WHERE (state = 'RUNNING'::text);

CREATE UNIQUE INDEX operation_running_per_resource ON san_licensing.operation USING btree (resource_id) WHERE (state = 'RUNNING'::text);

CREATE INDEX replay_by_age ON san_licensing.replay USING btree (recorded_us);

ALTER TABLE ONLY san_licensing.license_fence
    ADD CONSTRAINT license_fence_license_id_fkey FOREIGN KEY (license_id) REFERENCES san_licensing.license(license_id);

ALTER TABLE ONLY san_licensing.license_product
    ADD CONSTRAINT license_product_license_id_fkey FOREIGN KEY (license_id) REFERENCES san_licensing.license(license_id);

ALTER TABLE ONLY san_licensing.license_term
    ADD CONSTRAINT license_term_license_id_fkey FOREIGN KEY (license_id) REFERENCES san_licensing.license(license_id);

ALTER TABLE ONLY san_licensing.refused_record
    ADD CONSTRAINT refused_record_feed_id_fkey FOREIGN KEY (feed_id) REFERENCES san_licensing.feed(feed_id);
