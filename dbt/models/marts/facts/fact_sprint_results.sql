with results as (

    select * from {{ ref('stg_jolpica__sprint_results') }}

),

final as (

    select
        {{ surrogate_key(['event_key', 'result_id']) }} as sprint_result_key,
        event_key,
        {{ surrogate_key(['driver_id']) }} as driver_key,
        {{ surrogate_key(['constructor_id']) }} as constructor_key,
        season,
        driver_number,
        grid_position,
        position,
        position_order,
        position_text,
        points,
        laps_completed,
        status,
        time_ms,
        fastest_lap_ms
    from results
    qualify row_number() over (partition by event_key, result_id order by last_seen_at desc) = 1

)

select * from final
