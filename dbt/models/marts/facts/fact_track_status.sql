with statuses as (

    select
        session_key,
        message_number,
        session_time_ms as begins_ms,
        cast(payload:status as varchar) as track_status
    from {{ ref('stg_stream__messages') }}
    where kind = 'track_status'

),

final as (

    select
        {{ surrogate_key(['statuses.session_key', 'statuses.message_number']) }} as track_status_key,
        statuses.session_key,
        statuses.track_status,
        case statuses.track_status
            when '1' then 'all clear'
            when '2' then 'yellow'
            when '4' then 'safety car'
            when '5' then 'red'
            when '6' then 'virtual safety car'
            when '7' then 'virtual safety car ending'
        end as track_status_name,
        statuses.begins_ms,
        coalesce(
            lead(statuses.begins_ms) over (
                partition by statuses.session_key order by statuses.begins_ms, statuses.message_number
            ),
            sessions.ended_ms
        ) as ends_ms
    from statuses
    inner join {{ ref('dim_session') }} as sessions on statuses.session_key = sessions.session_key

)

select * from final
