with source as (

    select * from {{ source('jolpica', 'jolpica_circuits') }}
    where gone_at is null

),

final as (

    select
        season,
        cast(payload:circuitId as varchar) as circuit_id,
        cast(payload:circuitName as varchar) as circuit_name,
        cast(payload:Location.locality as varchar) as locality,
        cast(payload:Location.country as varchar) as country,
        cast(payload:Location.lat as decimal(9, 6)) as latitude,
        cast(payload:Location.long as decimal(9, 6)) as longitude,
        cast(payload:url as varchar) as wikipedia_url,
        content_hash,
        first_seen as valid_since,
        last_seen as last_seen_at
    from source

)

select * from final
