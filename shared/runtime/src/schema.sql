CREATE TABLE replay (
    caller TEXT COLLATE "C" NOT NULL,
    method TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    fingerprint BYTEA NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('OPEN', 'ANSWER', 'REFUSAL', 'OPERATION')),
    body BYTEA,
    operation_id TEXT COLLATE "C",
    recorded_us BIGINT NOT NULL,
    PRIMARY KEY (caller, method, request_id)
);
CREATE INDEX replay_by_age ON replay (recorded_us);

CREATE TABLE operation (
    operation_id TEXT COLLATE "C" PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    resource_id TEXT COLLATE "C" NOT NULL,
    account_id TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('RUNNING', 'DONE', 'REFUSED')),
    step TEXT COLLATE "C" NOT NULL,
    state_json TEXT NOT NULL,
    version BIGINT NOT NULL,
    accepted_us BIGINT NOT NULL,
    ended_us BIGINT,
    due_us BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    result BYTEA
);
CREATE UNIQUE INDEX operation_running_per_resource ON operation (resource_id) WHERE state = 'RUNNING';
CREATE INDEX operation_due ON operation (due_us) WHERE state = 'RUNNING';

CREATE TABLE outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    resource_id TEXT COLLATE "C" NOT NULL,
    account_id TEXT COLLATE "C" NOT NULL,
    time_us BIGINT NOT NULL,
    caller TEXT NOT NULL,
    request_id TEXT NOT NULL,
    method TEXT NOT NULL,
    why TEXT NOT NULL,
    outcome TEXT NOT NULL,
    data TEXT NOT NULL
);

CREATE TABLE event (
    position BIGINT PRIMARY KEY,
    event_id TEXT COLLATE "C" NOT NULL UNIQUE,
    type TEXT COLLATE "C" NOT NULL,
    resource_id TEXT COLLATE "C" NOT NULL,
    account_id TEXT COLLATE "C" NOT NULL,
    time_us BIGINT NOT NULL,
    caller TEXT NOT NULL,
    request_id TEXT NOT NULL,
    method TEXT NOT NULL,
    why TEXT NOT NULL,
    outcome TEXT NOT NULL,
    data TEXT NOT NULL,
    chain_hash BYTEA NOT NULL
);
CREATE INDEX event_by_resource ON event (resource_id, position);
