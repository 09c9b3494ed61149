with source as (

    select * from {{ source('jolpica', 'jolpica_qualifying') }}
    where gone_at is null

),

final as (

    select
        {{ surrogate_key(["season", "payload:Race.circuitId", "payload:Race.raceName"]) }} as event_key,
        season,
        round,
        entity as result_id,
        cast(payload:Driver.driverId as varchar) as driver_id,
        cast(payload:Constructor.constructorId as varchar) as constructor_id,
        cast(payload:number as varchar) as driver_number,
        cast(payload:position as int) as position,
        {{ milliseconds("nullif(cast(payload:Q1 as varchar), '')") }} as q1_ms,
        {{ milliseconds("nullif(cast(payload:Q2 as varchar), '')") }} as q2_ms,
        {{ milliseconds("nullif(cast(payload:Q3 as varchar), '')") }} as q3_ms,
        content_hash,
        first_seen as valid_since,
        last_seen as last_seen_at
    from source

)

select * from final
