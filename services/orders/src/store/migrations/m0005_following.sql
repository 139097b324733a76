CREATE TABLE following (
    source TEXT COLLATE "C" PRIMARY KEY,
    position BIGINT NOT NULL
);

CREATE INDEX certificate_by_san_certificate ON certificate (san_certificate_id) WHERE san_certificate_id IS NOT NULL;

CREATE TABLE early_revocation (
    san_certificate_id TEXT COLLATE "C" PRIMARY KEY,
    reason TEXT COLLATE "C" NOT NULL,
    san_revoke_us BIGINT NOT NULL,
    caller TEXT NOT NULL,
    method TEXT NOT NULL,
    request_id TEXT NOT NULL
);
