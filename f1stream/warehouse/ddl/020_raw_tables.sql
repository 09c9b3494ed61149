-- The columns of each come from the models (f1stream/warehouse/tables.py).
create table if not exists RAW.TELEMETRY ($telemetry) cluster by (session_date);
create table if not exists RAW.LAPS ($laps) cluster by (session_date);
create table if not exists RAW.MESSAGES ($messages) cluster by (session_date);
create table if not exists RAW.DEAD_LETTERS ($dead_letters) cluster by (session_date);
