with final as (

    select
        {{ surrogate_key(['session_key', 'message_number']) }} as weather_key,
        session_key,
        session_time_ms,
        cast(payload:air_temp as float) as air_temperature_c,
        cast(payload:track_temp as float) as track_temperature_c,
        cast(payload:humidity as float) as humidity_percent,
        cast(payload:pressure as float) as pressure_hpa,
        cast(payload:rainfall as boolean) as is_raining,
        cast(payload:wind_direction as float) as wind_direction_degrees,
        cast(payload:wind_speed as float) as wind_speed_ms
    from {{ ref('stg_stream__messages') }}
    where kind = 'weather'

)

select * from final
