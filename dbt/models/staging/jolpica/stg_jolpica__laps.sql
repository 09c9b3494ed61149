with source as (

    select * from {{ source('jolpica', 'jolpica_laps') }}
    where gone_at is null

),

final as (

    select
        {{ surrogate_key(["season", "payload:Race.circuitId", "payload:Race.raceName"]) }} as event_key,
        season,
        round,
        cast(payload:driverId as varchar) as driver_id,
        cast(payload:lap as int) as lap_number,
        cast(payload:position as int) as position,
        {{ milliseconds('cast(payload:time as varchar)') }} as lap_time_ms,
        content_hash,
        first_seen as valid_since,
        last_seen as last_seen_at
    from source

)

select * from final
