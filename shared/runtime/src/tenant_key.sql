CREATE TABLE operation_kept AS SELECT * FROM operation;
DROP TABLE operation;
CREATE TABLE operation (
    account_id TEXT COLLATE "C" NOT NULL,
    operation_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    resource_id TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('RUNNING', 'DONE', 'REFUSED')),
    step TEXT COLLATE "C" NOT NULL,
    state_json TEXT NOT NULL,
    version BIGINT NOT NULL,
    accepted_us BIGINT NOT NULL,
    ended_us BIGINT,
    due_us BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    result BYTEA,
    PRIMARY KEY (account_id, operation_id)
);
INSERT INTO operation
SELECT account_id, operation_id, kind, resource_id, state, step, state_json, version, accepted_us, ended_us,
    due_us, attempts, last_error, result
FROM operation_kept;
DROP TABLE operation_kept;
CREATE INDEX operation_by_id ON operation (operation_id);
CREATE UNIQUE INDEX operation_running_per_resource ON operation (account_id, resource_id) WHERE state = 'RUNNING';
CREATE INDEX operation_due ON operation (due_us) WHERE state = 'RUNNING';

CREATE TABLE outbox_kept AS SELECT * FROM outbox;
DROP TABLE outbox;
CREATE TABLE outbox (
    account_id TEXT COLLATE "C" NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    event_id TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    resource_id TEXT COLLATE "C" NOT NULL,
    time_us BIGINT NOT NULL,
    caller TEXT NOT NULL,
    request_id TEXT NOT NULL,
    method TEXT NOT NULL,
    why TEXT NOT NULL,
    outcome TEXT NOT NULL,
    data TEXT NOT NULL
);
INSERT INTO outbox
    (account_id, event_id, type, resource_id, time_us, caller, request_id, method, why, outcome, data)
SELECT account_id, event_id, type, resource_id, time_us, caller, request_id, method, why, outcome, data
FROM outbox_kept
ORDER BY id;
DROP TABLE outbox_kept;
CREATE INDEX outbox_by_id ON outbox (id);
