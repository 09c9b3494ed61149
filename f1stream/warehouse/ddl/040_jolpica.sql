-- One table per resource of f1stream/jolpica/resources.py with the current content of the Jolpica API: one row per entity
-- and round (round is null for entities of a whole season). first_seen and last_seen are of this content; gone_at is set
-- when the API no longer has the entity.
create table if not exists RAW.JOLPICA_RACES (
  season int, round int, entity varchar, payload variant, content_hash varchar,
  first_seen timestamp_ntz, last_seen timestamp_ntz, gone_at timestamp_ntz
);
create table if not exists RAW.JOLPICA_CIRCUITS (
  season int, round int, entity varchar, payload variant, content_hash varchar,
  first_seen timestamp_ntz, last_seen timestamp_ntz, gone_at timestamp_ntz
);
create table if not exists RAW.JOLPICA_DRIVERS (
  season int, round int, entity varchar, payload variant, content_hash varchar,
  first_seen timestamp_ntz, last_seen timestamp_ntz, gone_at timestamp_ntz
);
create table if not exists RAW.JOLPICA_CONSTRUCTORS (
  season int, round int, entity varchar, payload variant, content_hash varchar,
  first_seen timestamp_ntz, last_seen timestamp_ntz, gone_at timestamp_ntz
);
create table if not exists RAW.JOLPICA_STATUS (
  season int, round int, entity varchar, payload variant, content_hash varchar,
  first_seen timestamp_ntz, last_seen timestamp_ntz, gone_at timestamp_ntz
);
create table if not exists RAW.JOLPICA_QUALIFYING (
  season int, round int, entity varchar, payload variant, content_hash varchar,
  first_seen timestamp_ntz, last_seen timestamp_ntz, gone_at timestamp_ntz
);
create table if not exists RAW.JOLPICA_SPRINT (
  season int, round int, entity varchar, payload variant, content_hash varchar,
  first_seen timestamp_ntz, last_seen timestamp_ntz, gone_at timestamp_ntz
);
create table if not exists RAW.JOLPICA_RESULTS (
  season int, round int, entity varchar, payload variant, content_hash varchar,
  first_seen timestamp_ntz, last_seen timestamp_ntz, gone_at timestamp_ntz
);
create table if not exists RAW.JOLPICA_DRIVERSTANDINGS (
  season int, round int, entity varchar, payload variant, content_hash varchar,
  first_seen timestamp_ntz, last_seen timestamp_ntz, gone_at timestamp_ntz
);
create table if not exists RAW.JOLPICA_CONSTRUCTORSTANDINGS (
  season int, round int, entity varchar, payload variant, content_hash varchar,
  first_seen timestamp_ntz, last_seen timestamp_ntz, gone_at timestamp_ntz
);
create table if not exists RAW.JOLPICA_PITSTOPS (
  season int, round int, entity varchar, payload variant, content_hash varchar,
  first_seen timestamp_ntz, last_seen timestamp_ntz, gone_at timestamp_ntz
);
create table if not exists RAW.JOLPICA_LAPS (
  season int, round int, entity varchar, payload variant, content_hash varchar,
  first_seen timestamp_ntz, last_seen timestamp_ntz, gone_at timestamp_ntz
);
-- Earlier contents of the rows above.
create table if not exists RAW.JOLPICA_HISTORY (
  resource varchar, season int, round int, entity varchar, payload variant, content_hash varchar,
  first_seen timestamp_ntz, last_seen timestamp_ntz
);
-- Answers of unexpected shape and lists of invalid values, with the reason and the first 64,000 characters.
create table if not exists RAW.JOLPICA_QUARANTINE (
  resource varchar, season int, round int, url varchar, reason varchar, body varchar, seen_at timestamp_ntz
);
-- The last answer to each query.
create table if not exists OPS.JOLPICA_ANSWERS (
  resource varchar, season int, round int, outcome varchar, row_count int, answered_at timestamp_ntz
);
