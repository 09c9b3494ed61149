with notices as (

    select
        session_key,
        race_control_key,
        session_time_ms,
        lap_number,
        message,
        regexp_substr(message, 'FOR CAR ([0-9]+)', 1, 1, 'e', 1) as driver_number,
        case
            when message like '%SECOND TIME PENALTY%' then 'time'
            when message like '%STOP%GO PENALTY%' then 'stop and go'
            when message like '%DRIVE THROUGH PENALTY%' then 'drive through'
        end as penalty_type,
        cast(regexp_substr(message, '([0-9]+) SECOND TIME PENALTY', 1, 1, 'e', 1) as int) as seconds,
        nullif(regexp_substr(message, '\\([A-Z]{3}\\) - (.*)$', 1, 1, 'e', 1), '') as reason,
        message like '%PENALTY SERVED%' as is_served_notice
    from {{ ref('fact_race_control') }}
    where message like '%PENALTY%FOR CAR%'

),

served as (

    select
        session_key,
        driver_number,
        penalty_type,
        seconds,
        session_time_ms
    from notices
    where is_served_notice

),

final as (

    select
        {{ surrogate_key(['notices.race_control_key']) }} as penalty_key,
        {{ surrogate_key(['notices.session_key', 'notices.driver_number']) }} as entry_key,
        notices.race_control_key,
        notices.session_key,
        notices.driver_number,
        notices.penalty_type,
        notices.seconds,
        notices.reason,
        notices.lap_number as issued_lap,
        notices.session_time_ms as issued_ms,
        min(served.session_time_ms) as served_ms
    from notices
    left outer join served
        on
            notices.session_key = served.session_key
            and notices.driver_number = served.driver_number
            and notices.penalty_type = served.penalty_type
            and notices.seconds is not distinct from served.seconds
            and notices.session_time_ms < served.session_time_ms
    where not notices.is_served_notice and notices.driver_number is not null and notices.penalty_type is not null
    group by
        notices.race_control_key, notices.session_key, notices.driver_number, notices.penalty_type, notices.seconds,
        notices.reason, notices.lap_number, notices.session_time_ms

)

select * from final
