with final as (

    select
        {{ surrogate_key(['session_key', 'message_number']) }} as race_control_key,
        session_key,
        message_number,
        session_time_ms,
        cast(payload:category as varchar) as category,
        cast(payload:message as varchar) as message,
        cast(payload:status as varchar) as status,
        cast(payload:flag as varchar) as flag,
        cast(payload:scope as varchar) as scope,
        cast(payload:sector as int) as sector,
        driver_number,
        cast(payload:lap as int) as lap_number
    from {{ ref('stg_stream__messages') }}
    where kind = 'race_control'

)

select * from final
