with notices as (

    select
        session_key,
        race_control_key,
        message_number,
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

{# Equal penalties of a car cannot be told apart in the notices of serving: the first that is served is the first that
   was given. #}
counted as (

    select
        *,
        sum(iff(is_served_notice, 0, 1)) over (
            partition by session_key, driver_number, penalty_type, seconds
            order by session_time_ms, message_number
            rows between unbounded preceding and current row
        ) as given,
        sum(iff(is_served_notice, 1, 0)) over (
            partition by session_key, driver_number, penalty_type, seconds
            order by session_time_ms, message_number
            rows between unbounded preceding and current row
        ) as served
    from notices
    where driver_number is not null and penalty_type is not null

),

{# A notice of serving counts only if a penalty is open. #}
balanced as (

    select
        *,
        served - max(iff(served > given, served - given, 0)) over (
            partition by session_key, driver_number, penalty_type, seconds
            order by session_time_ms, message_number
            rows between unbounded preceding and current row
        ) as served_in_turn
    from counted

),

served as (

    select
        session_key,
        driver_number,
        penalty_type,
        seconds,
        served_in_turn,
        min(session_time_ms) as served_ms
    from balanced
    where is_served_notice
    group by session_key, driver_number, penalty_type, seconds, served_in_turn

),

final as (

    select
        {{ surrogate_key(['balanced.race_control_key']) }} as penalty_key,
        {{ surrogate_key(['balanced.session_key', 'balanced.driver_number']) }} as entry_key,
        balanced.race_control_key,
        balanced.session_key,
        balanced.driver_number,
        balanced.penalty_type,
        balanced.seconds,
        balanced.reason,
        balanced.lap_number as issued_lap,
        balanced.session_time_ms as issued_ms,
        served.served_ms
    from balanced
    left outer join served
        on
            balanced.session_key = served.session_key
            and balanced.driver_number = served.driver_number
            and balanced.penalty_type = served.penalty_type
            and balanced.seconds is not distinct from served.seconds
            and balanced.given = served.served_in_turn
    where not balanced.is_served_notice

)

select * from final
