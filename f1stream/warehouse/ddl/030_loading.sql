-- Files to load; the COPY that loads a file purges it.
create stage if not exists RAW.LOADS;
-- The loaded offset of each partition. The last record's timestamp and hash reveal a topic that was deleted and
-- created again.
create table if not exists RAW.LOAD_OFFSETS (
  kafka_topic varchar, kafka_incarnation int, kafka_partition int, next_offset int,
  last_timestamp_ms int, last_hash varchar, loaded_at timestamp_ntz, loaded_by varchar
);
-- A row per partition, inserted by the workers. The worker that updates it holds the lock of the partition's offsets
-- until its commit; what it writes means nothing.
create table if not exists RAW.LOAD_LOCKS (kafka_topic varchar, kafka_partition int, locked_by varchar);
-- The samples that each flush has loaded, by run. Rows are only inserted, so that workers do not wait for each other.
-- The marts know from the sums whether a run has changed, without reading the samples.
create table if not exists RAW.TELEMETRY_COUNTS (
  session_key varchar, source varchar, epoch int, session_date date, row_count int
);
