with laps as (

    select * from {{ ref('fact_race_laps') }}

),

weather as (

    select
        laps.lap_key,
        weather.air_temperature_c,
        weather.track_temperature_c,
        weather.is_raining
    from laps
    inner join {{ ref('fact_weather') }} as weather
        on laps.session_key = weather.session_key and laps.end_ms >= weather.session_time_ms
    qualify
        row_number() over (
            partition by laps.lap_key order by weather.session_time_ms desc, weather.weather_key asc
        ) = 1

),

final as (

    select
        laps.lap_key,
        laps.session_key,
        laps.event_key,
        year(laps.session_date) as season,
        events.round,
        coalesce(events.event_name, sessions.meeting_name) as event_name,
        sessions.session_name,
        sessions.circuit_name,
        laps.session_date,
        sessions.is_simulated,
        entries.driver_code,
        entries.full_name as driver_name,
        entries.team_name,
        entries.team_color,
        laps.driver_number,
        laps.lap_number,
        laps.position,
        entries.grid_position,
        laps.lap_time_ms,
        laps.lap_time_source,
        laps.sector1_ms,
        laps.sector2_ms,
        laps.sector3_ms,
        laps.gap_to_leader_ms,
        laps.interval_ms,
        stints.stint_number,
        laps.compound,
        laps.tyre_life,
        laps.is_in_lap,
        laps.is_out_lap,
        laps.is_green,
        laps.is_deleted,
        laps.is_accurate,
        laps.track_status,
        telemetry.top_speed_kmh,
        telemetry.full_throttle_share,
        telemetry.braking_share,
        telemetry.drs_share,
        telemetry.gear_changes,
        weather.air_temperature_c,
        weather.track_temperature_c,
        weather.is_raining
    from laps
    inner join {{ ref('dim_session') }} as sessions on laps.session_key = sessions.session_key
    inner join {{ ref('dim_session_entry') }} as entries on laps.entry_key = entries.entry_key
    left outer join {{ ref('fact_events') }} as events on laps.event_key = events.event_key
    left outer join {{ ref('fact_stints') }} as stints
        on
            laps.entry_key = stints.entry_key
            and laps.lap_number between stints.first_lap and stints.last_lap
    left outer join {{ ref('fact_lap_telemetry') }} as telemetry on laps.lap_key = telemetry.lap_key
    left outer join weather on laps.lap_key = weather.lap_key

)

select * from final
