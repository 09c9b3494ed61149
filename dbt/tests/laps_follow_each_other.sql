{{ config(severity='warn') }}

-- Data of the feed: a car's laps are 1 to n.
select
    entry_key,
    count(*) as laps,
    max(lap_number) as last
from {{ ref('fact_laps') }}
group by entry_key
having count(*) <> max(lap_number)
