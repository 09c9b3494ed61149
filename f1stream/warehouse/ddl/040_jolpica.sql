-- What the Jolpica API says now, one row per entity and round (round is null where a season has the entity once).
-- first_seen and last_seen are of this content; gone_at is set when the API no longer has the entity.
$jolpica_tables
create table if not exists RAW.JOLPICA_HISTORY (
  resource varchar, season int, round int, entity varchar, payload variant, content_hash varchar,
  first_seen timestamp_ntz, last_seen timestamp_ntz
);
-- Answers that have not the shape they should have, with the reason and the first 64,000 characters.
create table if not exists RAW.JOLPICA_QUARANTINE (
  resource varchar, season int, round int, url varchar, reason varchar, body varchar, seen_at timestamp_ntz
);
-- What was asked for, and what came the last time.
create table if not exists OPS.JOLPICA_ANSWERS (
  resource varchar, season int, round int, outcome varchar, row_count int, answered_at timestamp_ntz
);
