-- Our rule: within a race, the order of all cars is 1 to n.
select
    session_key,
    count(*) as cars,
    min(stream_position_order) as first,
    max(stream_position_order) as last
from {{ ref('fact_race_results') }}
where session_key is not null
group by session_key
having
    count(distinct stream_position_order) <> count(*)
    or min(stream_position_order) <> 1
    or max(stream_position_order) <> count(*)
