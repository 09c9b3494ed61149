{# Data of the API since 1991, when every result began to count: the points in the standings are the sum over all
   races and sprints so far. Excluded are rounds with a missing result, results without readable points, and the
   exceptions in the seed. #}
{% macro points_add_up(entity) -%}
with results as (

    select
        event_key,
        {{ entity }}_key,
        points
    from {{ ref('fact_race_results') }}
    where result_source = 'jolpica'
    union all
    select
        event_key,
        {{ entity }}_key,
        points
    from {{ ref('fact_sprint_results') }}

),

events as (

    select
        event_key,
        season,
        round,
        count(*) over (partition by season order by round) = round as has_all_before
    from {{ ref('fact_events') }}
    where event_status = 'held' and season >= 1991

),

scored as (

    select
        standings.{{ entity }}_standing_key,
        case when count(results.points) = count(*) then sum(results.points) end as points
    from {{ ref('fact_' ~ entity ~ '_standings') }} as standings
    inner join events on standings.event_key = events.event_key and events.has_all_before
    inner join events as earlier on events.season = earlier.season and events.round >= earlier.round
    inner join results on earlier.event_key = results.event_key and standings.{{ entity }}_key = results.{{ entity }}_key
    group by standings.{{ entity }}_standing_key

)

select
    standings.{{ entity }}_standing_key,
    standings.season,
    standings.round,
    standings.{{ entity }}_id,
    standings.points,
    scored.points as scored
from {{ ref('fact_' ~ entity ~ '_standings') }} as standings
inner join scored on standings.{{ entity }}_standing_key = scored.{{ entity }}_standing_key
left outer join {{ ref('points_exceptions') }} as exceptions
    on
        exceptions.championship = '{{ entity }}s'
        and standings.season = exceptions.season
        and standings.{{ entity }}_id = exceptions.driver_or_constructor_id
where standings.points <> scored.points and exceptions.season is null
{%- endmacro %}
