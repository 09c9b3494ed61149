{{ config(materialized='view') }}

with contents as (

    select
        season,
        result_id as entity,
        payload,
        content_hash,
        valid_since as valid_from,
        last_seen_at,
        true as is_present
    from {{ ref('stg_jolpica__results') }}
    union all
    select
        season,
        entity,
        payload,
        content_hash,
        valid_since as valid_from,
        last_seen_at,
        false as is_present
    from {{ ref('stg_jolpica__history') }}
    where resource = 'results'

),

{{ versions(result_columns(), 'event_key, result_id') }},

final as (

    select
        {{ surrogate_key(
            ['event_key', 'result_id', "to_char(valid_from, 'YYYY-MM-DD HH24:MI:SS.FF3')"]
        ) }} as race_result_version_key,
        event_key,
        {{ surrogate_key(['driver_id']) }} as driver_key,
        {{ surrogate_key(['constructor_id']) }} as constructor_key,
        season,
        result_id,
        driver_id,
        constructor_id,
        driver_number,
        grid_position,
        position_order,
        position,
        position_text,
        points,
        laps_completed,
        status,
        time_ms as race_time_ms,
        fastest_lap_number,
        fastest_lap_ms,
        valid_from,
        valid_to,
        valid_to is null as is_current
    from versions

)

select * from final
