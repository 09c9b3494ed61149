-- The columns of each come from the models (f1stream/warehouse/tables.py). Only the samples are clustered: the other
-- tables are a few micro-partitions, which clustering cannot prune.
create table if not exists RAW.TELEMETRY ($telemetry) cluster by (session_date);
create table if not exists RAW.LAPS ($laps);
create table if not exists RAW.MESSAGES ($messages);
create table if not exists RAW.DEAD_LETTERS ($dead_letters);
