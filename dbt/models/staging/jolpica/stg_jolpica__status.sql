with source as (

    select * from {{ source('jolpica', 'jolpica_status') }}
    where gone_at is null

),

final as (

    select
        season,
        cast(payload:statusId as varchar) as status_id,
        cast(payload:status as varchar) as status,
        cast(payload:count as int) as cars,
        content_hash,
        first_seen as valid_since,
        last_seen as last_seen_at
    from source

)

select * from final
