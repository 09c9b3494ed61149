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

streamed_events as (

    select distinct event_key
    from laps
    where is_grand_prix

),

streamed as (

    select
        laps.lap_key as race_lap_key,
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

),

{# The API also has the laps of races that were not streamed. #}
unstreamed as (

    select
        {{ surrogate_key(['official.event_key', 'official.driver_key', 'official.lap_number']) }} as race_lap_key,
        cast(null as varchar) as lap_key,
        cast(null as varchar) as entry_key,
        cast(null as varchar) as session_key,
        official.event_key,
        official.driver_key,
        cast(null as varchar) as constructor_key,
        cast(null as varchar) as driver_code,
        cast(null as varchar) as driver_number,
        official.lap_number,
        events.race_date as session_date,
        cast(null as int) as start_ms,
        cast(null as int) as end_ms,
        cast(null as int) as measured_lap_time_ms,
        official.lap_time_ms,
        iff(official.lap_time_ms is null, null, 'jolpica') as lap_time_source,
        official.lap_time_ms as official_lap_time_ms,
        cast(null as int) as position,
        official.position as official_position,
        cast(null as int) as gap_to_leader_ms,
        cast(null as int) as interval_ms,
        cast(null as int) as sector1_ms,
        cast(null as int) as sector2_ms,
        cast(null as int) as sector3_ms,
        cast(null as varchar) as compound,
        cast(null as int) as tyre_life,
        cast(null as boolean) as is_in_lap,
        cast(null as boolean) as is_out_lap,
        cast(null as boolean) as is_green,
        cast(null as boolean) as is_deleted,
        cast(null as boolean) as is_accurate,
        cast(null as varchar) as track_status
    from official
    inner join {{ ref('fact_events') }} as events on official.event_key = events.event_key
    left outer join streamed_events on official.event_key = streamed_events.event_key
    where streamed_events.event_key is null

),

final as (

    select * from streamed
    union all
    select * from unstreamed

)

select * from final
