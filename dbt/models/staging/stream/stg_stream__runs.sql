{{ config(materialized='table') }}

{# Raise it when the SQL of an incremental mart, or of what it reads, changes: all sessions are then built again. #}
{% set rules_version = 1 %}

with messages as (

    select
        session_key,
        source,
        epoch,
        min(session_date) as session_date,
        count(*) as message_rows,
        max(iff(kind = 'session_end', 1, 0)) = 1 as is_complete
    from {{ source('stream', 'messages') }}
    where source is not null
    group by session_key, source, epoch

),

laps as (

    select
        session_key,
        source,
        epoch,
        count(*) as lap_rows
    from {{ source('stream', 'laps') }}
    group by session_key, source, epoch

),

telemetry as (

    select
        session_key,
        source,
        epoch,
        cast(sum(row_count) as int) as telemetry_rows
    from {{ source('stream', 'telemetry_counts') }}
    group by session_key, source, epoch

),

counted as (

    select
        messages.session_key,
        messages.source,
        messages.epoch,
        messages.session_date,
        messages.is_complete,
        messages.message_rows,
        coalesce(laps.lap_rows, 0) as lap_rows,
        coalesce(telemetry.telemetry_rows, 0) as telemetry_rows,
        case split_part(messages.source, ':', 1)
            when 'fastf1' then 1
            when 'archive' then 1
            when 'recording' then 2
            when 'live' then 3
            else 4
        end as source_rank
    from messages
    left outer join laps
        on
            messages.session_key = laps.session_key
            and messages.source = laps.source
            and messages.epoch = laps.epoch
    left outer join telemetry
        on
            messages.session_key = telemetry.session_key
            and messages.source = telemetry.source
            and messages.epoch = telemetry.epoch

),

final as (

    select
        {{ surrogate_key(['session_key', 'source', 'epoch']) }} as run_key,
        session_key,
        source,
        epoch,
        session_date,
        is_complete,
        message_rows,
        lap_rows,
        telemetry_rows,
        source || '|' || epoch || '|' || message_rows || '|' || lap_rows || '|' || telemetry_rows
        || '|rules {{ rules_version }}' as run_state,
        row_number() over (
            partition by session_key
            order by is_complete desc, source_rank asc, epoch desc
        ) = 1 as is_chosen
    from counted

)

select * from final
