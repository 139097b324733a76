CREATE INDEX refused_record_time ON refused_record (refuse_us);
