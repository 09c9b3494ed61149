{{ config(materialized='view') }}

with results as (

    select
        *,
        max(laps_completed) over (partition by coalesce(session_key, event_key)) as winner_laps
    from {{ ref('fact_race_results') }}

),

final as (

    select
        results.race_result_key,
        results.session_key,
        results.event_key,
        events.season,
        events.round,
        results.position_order,
        results.position,
        results.position_text,
        results.driver_number,
        coalesce(results.driver_code, drivers.driver_code) as driver_code,
        coalesce(drivers.full_name, results.full_name) as driver_name,
        coalesce(constructors.constructor_name, results.team_name) as team_name,
        results.laps_completed as laps,
        iff(
            results.laps_completed = results.winner_laps and results.position is not null,
            results.race_time_ms, null
        ) as time_ms,
        results.points,
        results.grid_position,
        results.fastest_lap_ms,
        results.status,
        results.result_source as source
    from results
    left outer join {{ ref('fact_events') }} as events on results.event_key = events.event_key
    left outer join {{ ref('dim_driver') }} as drivers on results.driver_key = drivers.driver_key
    left outer join {{ ref('dim_constructor') }} as constructors
        on results.constructor_key = constructors.constructor_key

)

select * from final
