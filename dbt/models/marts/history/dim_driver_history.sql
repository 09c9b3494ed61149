{{ config(materialized='view') }}

with contents as (

    select
        season,
        payload,
        content_hash,
        valid_since as valid_from,
        last_seen_at,
        true as is_present
    from {{ ref('stg_jolpica__drivers') }}
    union all
    select
        season,
        payload,
        content_hash,
        valid_since as valid_from,
        last_seen_at,
        false as is_present
    from {{ ref('stg_jolpica__history') }}
    where resource = 'drivers'

),

{{ versions(driver_columns(), 'driver_id') }},

final as (

    select
        {{ surrogate_key(
            ['driver_id', "to_char(valid_from, 'YYYY-MM-DD HH24:MI:SS.FF3')"]
        ) }} as driver_version_key,
        {{ surrogate_key(['driver_id']) }} as driver_key,
        driver_id,
        driver_code,
        permanent_number,
        given_name,
        family_name,
        date_of_birth,
        nationality,
        wikipedia_url,
        valid_from,
        valid_to,
        valid_to is null as is_current
    from versions

)

select * from final
