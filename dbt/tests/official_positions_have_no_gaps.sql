{{ config(severity='warn') }}

-- Data of the API: the positions of a race's classified cars are 1 to n. In the 1950s drivers shared cars and
-- positions.
select
    results.event_key,
    count(*) as cars,
    max(results.official_position) as last
from {{ ref('fact_race_results') }} as results
inner join {{ ref('fact_events') }} as events on results.event_key = events.event_key
where results.official_position is not null and events.season >= 1965
group by results.event_key
having count(distinct results.official_position) <> count(*) or max(results.official_position) <> count(*)
