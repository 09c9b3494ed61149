with messages as (

    select * from {{ ref('stg_stream__messages') }}

),

info as (

    select
        session_key,
        session_date,
        source,
        epoch,
        is_complete,
        run_state,
        cast(payload:name as varchar) as session_name,
        cast(payload:type as varchar) as session_type,
        cast(payload:meeting as varchar) as meeting_name,
        cast(payload:location as varchar) as location,
        cast(payload:circuit as varchar) as circuit_name,
        cast(payload:total_laps as int) as total_laps,
        cast(payload:t0_utc_ms as int) as t0_utc_ms,
        cast(payload:simulated as boolean) as is_simulated
    from messages
    where kind = 'session_info'
    qualify row_number() over (partition by session_key order by message_number desc) = 1

),

instants as (

    select
        session_key,
        min(
            case when kind = 'session_status' and cast(payload:status as varchar) = 'Started' then session_time_ms end
        ) as started_ms,
        max(case when kind = 'session_end' then session_time_ms end) as ended_ms
    from messages
    group by session_key

),

events as (

    select
        event_key,
        race_date
    from {{ ref('fact_events') }}
    where event_status <> 'cancelled'

),

final as (

    select
        info.session_key,
        events.event_key,
        info.session_name,
        info.session_type,
        info.meeting_name,
        info.location,
        info.circuit_name,
        info.total_laps,
        info.session_date,
        dateadd('millisecond', info.t0_utc_ms, to_timestamp_ntz(0)) as session_clock_zero_at,
        instants.started_ms,
        instants.ended_ms,
        info.is_simulated,
        info.source,
        info.epoch,
        info.is_complete,
        info.run_state
    from info
    left outer join instants on info.session_key = instants.session_key
    left outer join events
        on
            not info.is_simulated
            and info.session_date between dateadd('day', -3, events.race_date) and dateadd('day', 1, events.race_date)
    qualify
        row_number() over (
            partition by info.session_key
            order by abs(datediff('day', info.session_date, events.race_date))
        ) = 1

)

select * from final
