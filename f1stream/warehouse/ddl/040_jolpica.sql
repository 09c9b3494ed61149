-- Current content of the Jolpica API: one row per entity and round (round is null for entities of a whole season).
-- first_seen and last_seen are of this content; gone_at is set when the API no longer has the entity.
$jolpica_tables
create table if not exists RAW.JOLPICA_HISTORY (
  resource varchar, season int, round int, entity varchar, payload variant, content_hash varchar,
  first_seen timestamp_ntz, last_seen timestamp_ntz
);
-- Answers of an unexpected shape, with the reason and the first 64,000 characters.
create table if not exists RAW.JOLPICA_QUARANTINE (
  resource varchar, season int, round int, url varchar, reason varchar, body varchar, seen_at timestamp_ntz
);
-- Each request and the outcome of its last answer.
create table if not exists OPS.JOLPICA_ANSWERS (
  resource varchar, season int, round int, outcome varchar, row_count int, answered_at timestamp_ntz
);
