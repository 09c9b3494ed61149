with results as (

    select * from {{ ref('stg_jolpica__qualifying') }}

),

final as (

    select
        {{ surrogate_key(['event_key', 'result_id']) }} as qualifying_key,
        event_key,
        {{ surrogate_key(['driver_id']) }} as driver_key,
        {{ surrogate_key(['constructor_id']) }} as constructor_key,
        season,
        driver_number,
        position,
        q1_ms,
        q2_ms,
        q3_ms,
        coalesce(q3_ms, q2_ms, q1_ms) as deciding_ms
    from results
    qualify row_number() over (partition by event_key, result_id order by last_seen_at desc) = 1

)

select * from final
