with source as (

    select * from {{ source('jolpica', 'jolpica_constructors') }}
    where gone_at is null

),

final as (

    select
        season,
        cast(payload:constructorId as varchar) as constructor_id,
        cast(payload:name as varchar) as constructor_name,
        cast(payload:nationality as varchar) as nationality,
        cast(payload:url as varchar) as wikipedia_url,
        content_hash,
        first_seen as valid_since,
        last_seen as last_seen_at
    from source

)

select * from final
