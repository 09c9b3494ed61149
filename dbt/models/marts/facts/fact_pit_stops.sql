with laps as (

    select * from {{ ref('fact_laps') }}

),

laps_with_next as (

    select
        laps.session_key,
        laps.entry_key,
        laps.driver_number,
        laps.lap_number,
        laps.compound,
        laps.pit_in_ms,
        lead(laps.lap_number) over (partition by laps.entry_key order by laps.lap_number) as next_lap_number,
        lead(laps.pit_out_ms) over (partition by laps.entry_key order by laps.lap_number) as pit_out_ms
    from laps

),

visits as (

    select
        *,
        {{ surrogate_key(['entry_key', 'lap_number']) }} as pit_stop_key,
        row_number() over (partition by entry_key order by lap_number) as visit_number
    from laps_with_next
    where pit_in_ms is not null

),

tyre_changes as (

    select
        session_key,
        driver_number,
        cast(payload:lap as int) as first_lap,
        cast(payload:compound as varchar) as compound,
        coalesce(cast(payload:changed as boolean), true) as is_changed
    from {{ ref('stg_stream__messages') }}
    where kind = 'tyre_change'
    {# A later message of the same first lap corrects it. #}
    qualify
        row_number() over (
            partition by session_key, driver_number, cast(payload:lap as int)
            order by message_number desc
        ) = 1

),

official as (

    select
        event_key,
        {{ surrogate_key(['driver_id']) }} as driver_key,
        lap_number,
        stop_number,
        lane_ms
    from {{ ref('stg_jolpica__pit_stops') }}

),

streamed_events as (

    select distinct sessions.event_key
    from laps
    inner join {{ ref('dim_session') }} as sessions on laps.session_key = sessions.session_key
    where sessions.is_grand_prix

),

streamed as (

    select
        visits.pit_stop_key,
        visits.entry_key,
        visits.session_key,
        sessions.event_key,
        entries.driver_key,
        visits.driver_number,
        visits.visit_number,
        visits.lap_number,
        visits.pit_in_ms,
        visits.pit_out_ms,
        visits.pit_out_ms - visits.pit_in_ms as lane_ms,
        telemetry.stationary_ms,
        {# As PitVisit in f1stream/race/car.py, from stored samples; a change under red flag counts here. #}
        coalesce(tyre_changes.is_changed, false) and (
            coalesce(tyre_changes.compound <> visits.compound, false)
            or telemetry.samples is null
            or coalesce(telemetry.stationary_ms >= 1000, false)
        ) as is_tyre_change,
        iff(is_tyre_change, tyre_changes.compound, null) as new_compound,
        status.track_status,
        official.stop_number as official_stop_number,
        official.lane_ms as official_lane_ms,
        'stream' as source
    from visits
    inner join {{ ref('dim_session') }} as sessions on visits.session_key = sessions.session_key
    left outer join {{ ref('dim_session_entry') }} as entries on visits.entry_key = entries.entry_key
    left outer join {{ ref('fact_pit_stop_telemetry') }} as telemetry on visits.pit_stop_key = telemetry.pit_stop_key
    left outer join tyre_changes
        on
            visits.session_key = tyre_changes.session_key
            and visits.driver_number = tyre_changes.driver_number
            and visits.next_lap_number = tyre_changes.first_lap
    left outer join {{ ref('fact_track_status') }} as status
        on
            visits.session_key = status.session_key
            and visits.pit_in_ms >= status.begins_ms
            and (status.ends_ms is null or visits.pit_in_ms < status.ends_ms)
    left outer join official
        on
            sessions.is_grand_prix
            and sessions.event_key = official.event_key
            and entries.driver_key = official.driver_key
            and visits.lap_number = official.lap_number
    qualify
        row_number() over (
            partition by visits.entry_key, visits.lap_number
            order by status.begins_ms desc, official.stop_number asc
        ) = 1

),

{# The API also has the stops of races that were not streamed. #}
unstreamed as (

    select
        {{ surrogate_key(['official.event_key', 'official.driver_key', 'official.stop_number']) }} as pit_stop_key,
        cast(null as varchar) as entry_key,
        cast(null as varchar) as session_key,
        official.event_key,
        official.driver_key,
        cast(null as varchar) as driver_number,
        official.stop_number as visit_number,
        official.lap_number,
        cast(null as int) as pit_in_ms,
        cast(null as int) as pit_out_ms,
        official.lane_ms,
        cast(null as int) as stationary_ms,
        cast(null as boolean) as is_tyre_change,
        cast(null as varchar) as new_compound,
        cast(null as varchar) as track_status,
        official.stop_number as official_stop_number,
        official.lane_ms as official_lane_ms,
        'jolpica' as source
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
