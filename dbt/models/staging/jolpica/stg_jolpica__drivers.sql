with source as (

    select * from {{ source('jolpica', 'jolpica_drivers') }}
    where gone_at is null

),

final as (

    select
        season,
        cast(payload:driverId as varchar) as driver_id,
        cast(payload:code as varchar) as driver_code,
        cast(payload:permanentNumber as int) as permanent_number,
        cast(payload:givenName as varchar) as given_name,
        cast(payload:familyName as varchar) as family_name,
        cast(payload:dateOfBirth as date) as date_of_birth,
        cast(payload:nationality as varchar) as nationality,
        cast(payload:url as varchar) as wikipedia_url,
        content_hash,
        first_seen as valid_since,
        last_seen as last_seen_at
    from source

)

select * from final
