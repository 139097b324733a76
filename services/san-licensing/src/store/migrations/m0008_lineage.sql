-- The last runs of moves, newest first, each as two numbers of sixteen hexadecimal digits: its nonce, and the
-- version of its first move.
ALTER TABLE license_fence
ADD COLUMN lineage TEXT COLLATE "C" NOT NULL DEFAULT '00000000000000000000000000000001';
