with source as (

    select * from {{ source('jolpica', 'jolpica_driverstandings') }}
    where gone_at is null

),

final as (

    select
        season,
        round,
        cast(payload:Driver.driverId as varchar) as driver_id,
        cast(payload:position as int) as position,
        cast(payload:points as decimal(7, 2)) as points,
        cast(payload:wins as int) as wins,
        content_hash,
        first_seen as valid_since,
        last_seen as last_seen_at
    from source

)

select * from final
