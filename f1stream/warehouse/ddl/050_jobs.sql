-- Every run of a scheduled job; one that has begun and not ended has no ended_at.
create table if not exists OPS.JOB_RUNS (
  run_id varchar, job varchar, attempt int, started_at timestamp_ntz, ended_at timestamp_ntz,
  outcome varchar, row_count int, error varchar, host varchar
);
