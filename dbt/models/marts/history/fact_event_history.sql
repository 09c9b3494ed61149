{{ config(materialized='view') }}

with contents as (

    select
        season,
        payload,
        content_hash,
        valid_since as valid_from,
        last_seen_at,
        true as is_present
    from {{ ref('stg_jolpica__races') }}
    where gone_at is null
    union all
    select
        season,
        payload,
        content_hash,
        valid_since as valid_from,
        last_seen_at,
        false as is_present
    from {{ ref('stg_jolpica__history') }}
    where resource = 'races'

),

{{ versions(race_columns(), 'event_key') }},

final as (

    select
        {{ surrogate_key(
            ['event_key', "to_char(valid_from, 'YYYY-MM-DD HH24:MI:SS.FF3')"]
        ) }} as event_version_key,
        event_key,
        season,
        round,
        event_name,
        {{ surrogate_key(['circuit_id']) }} as circuit_key,
        race_date,
        race_time,
        valid_from,
        valid_to,
        valid_to is null as is_current
    from versions

)

select * from final
