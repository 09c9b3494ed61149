-- Every run of a scheduled job; ended_at is null while it runs, or when its process died.
create table if not exists OPS.JOB_RUNS (
  run_id varchar, job varchar, attempt int, started_at timestamp_ntz, ended_at timestamp_ntz,
  outcome varchar, row_count int, error varchar, host varchar
);
