with source as (

    select * from {{ source('jolpica', 'jolpica_drivers') }}
    where gone_at is null

),

final as (

    select
        {{ driver_columns() }},
        payload,
        content_hash,
        first_seen as valid_since,
        last_seen as last_seen_at
    from source

)

select * from final
