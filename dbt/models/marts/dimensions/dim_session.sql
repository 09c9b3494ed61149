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
        session_type,
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

first_lap_ends as (

    select
        session_key,
        min(end_ms) as first_lap_end_ms
    from {{ ref('stg_stream__laps') }}
    where not is_generated
    group by session_key

),

{# The rule of models/session_start.py; a test compares this model's unit test with it. #}
aborted_starts as (

    select
        messages.session_key,
        max(messages.message_number) as message_number
    from messages
    left outer join first_lap_ends on messages.session_key = first_lap_ends.session_key
    where
        messages.kind = 'race_control'
        and cast(messages.payload:message as varchar) like 'ABORTED START%'
        and messages.session_time_ms < coalesce(first_lap_ends.first_lap_end_ms, messages.session_time_ms + 1)
    group by messages.session_key

),

instants as (

    select
        messages.session_key,
        min(
            case
                when
                    messages.kind = 'session_status'
                    and cast(messages.payload:status as varchar) = 'Started'
                    and messages.message_number > coalesce(aborted_starts.message_number, -1)
                    then messages.session_time_ms
            end
        ) as started_ms,
        max(case when messages.kind = 'session_end' then messages.session_time_ms end) as ended_ms
    from messages
    left outer join aborted_starts on messages.session_key = aborted_starts.session_key
    group by messages.session_key

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
        coalesce(info.session_type in ('Race', 'Sprint'), false) as is_race,
        coalesce(info.session_type = 'Race', false) as is_grand_prix,
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
