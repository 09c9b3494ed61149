-- Files on their way into a table; each is purged by the COPY that loads it.
create stage if not exists RAW.LOADS;
-- What is loaded of each partition. The last record's timestamp and hash tell a topic that was created anew.
create table if not exists RAW.LOAD_OFFSETS (
  kafka_topic varchar, kafka_incarnation int, kafka_partition int, next_offset int,
  last_timestamp_ms int, last_hash varchar, loaded_at timestamp_ntz, loaded_by varchar
);
