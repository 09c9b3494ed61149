{{ config(materialized='view') }}

with laps as (

    select
        laps.*,
        sessions.event_key,
        sessions.is_grand_prix,
        entries.driver_key,
        entries.constructor_key,
        entries.driver_code
    from {{ ref('fact_laps') }} as laps
    inner join {{ ref('dim_session') }} as sessions on laps.session_key = sessions.session_key
    left outer join {{ ref('dim_session_entry') }} as entries on laps.entry_key = entries.entry_key
    where sessions.is_race

),

official as (

    select
        event_key,
        {{ surrogate_key(['driver_id']) }} as driver_key,
        lap_number,
        position,
        lap_time_ms
    from {{ ref('stg_jolpica__laps') }}

),

final as (

    select
        laps.lap_key,
        laps.entry_key,
        laps.session_key,
        laps.event_key,
        laps.driver_key,
        laps.constructor_key,
        laps.driver_code,
        laps.driver_number,
        laps.lap_number,
        laps.session_date,
        laps.start_ms,
        laps.end_ms,
        laps.measured_lap_time_ms,
        coalesce(laps.lap_time_ms, official.lap_time_ms) as lap_time_ms,
        case
            when laps.lap_time_ms is not null then 'stream'
            when official.lap_time_ms is not null then 'jolpica'
        end as lap_time_source,
        official.lap_time_ms as official_lap_time_ms,
        laps.position,
        official.position as official_position,
        laps.end_ms - min(laps.end_ms) over (
            partition by laps.session_key, laps.lap_number
        ) as gap_to_leader_ms,
        laps.end_ms - lag(laps.end_ms) over (
            partition by laps.session_key, laps.lap_number order by laps.end_ms
        ) as interval_ms,
        laps.sector1_ms,
        laps.sector2_ms,
        laps.sector3_ms,
        laps.compound,
        laps.tyre_life,
        laps.is_in_lap,
        laps.is_out_lap,
        laps.is_green,
        laps.is_deleted,
        laps.is_accurate,
        laps.track_status
    from laps
    left outer join official
        on
            laps.is_grand_prix
            and laps.event_key = official.event_key
            and laps.driver_key = official.driver_key
            and laps.lap_number = official.lap_number
    where not laps.is_generated

)

select * from final
