with source as (

    select * from {{ source('jolpica', 'jolpica_pitstops') }}
    where gone_at is null

),

final as (

    select
        {{ surrogate_key(["season", "payload:Race.circuitId", "payload:Race.raceName"]) }} as event_key,
        season,
        round,
        cast(payload:driverId as varchar) as driver_id,
        cast(payload:stop as int) as stop_number,
        cast(payload:lap as int) as lap_number,
        {{ milliseconds('cast(payload:duration as varchar)') }} as lane_ms,
        content_hash,
        first_seen as valid_since,
        last_seen as last_seen_at
    from source

)

select * from final
