with source as (

    select * from {{ source('jolpica', 'jolpica_history') }}

),

final as (

    select
        resource,
        season,
        round,
        entity,
        payload,
        content_hash,
        first_seen as valid_since,
        last_seen as last_seen_at
    from source

)

select * from final
