CREATE INDEX decision_denied ON decision (decided_us) WHERE state = 'DENIED' AND names <> '';
