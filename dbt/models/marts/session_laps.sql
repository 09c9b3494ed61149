{{ config(materialized='view') }}

with final as (

    select
        laps.lap_key,
        laps.entry_key,
        laps.session_key,
        laps.session_date,
        laps.driver_number,
        entries.driver_code,
        entries.team_name,
        entries.team_color,
        laps.lap_number,
        laps.position,
        laps.start_ms,
        laps.end_ms,
        laps.lap_time_ms,
        laps.sector1_ms,
        laps.sector2_ms,
        laps.sector3_ms,
        race_laps.gap_to_leader_ms,
        laps.compound,
        laps.tyre_life,
        laps.is_in_lap,
        laps.is_out_lap,
        laps.is_green,
        laps.is_deleted,
        laps.is_accurate
    from {{ ref('fact_laps') }} as laps
    inner join {{ ref('dim_session_entry') }} as entries on laps.entry_key = entries.entry_key
    left outer join {{ ref('fact_race_laps') }} as race_laps on laps.lap_key = race_laps.lap_key

)

select * from final
