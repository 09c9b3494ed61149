{{ config(severity='warn') }}

-- Data of the feed: a car leaves the pit lane after it enters it.
select
    pit_stop_key,
    pit_in_ms,
    pit_out_ms
from {{ ref('fact_pit_stops') }}
where pit_out_ms <= pit_in_ms
