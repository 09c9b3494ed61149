{# The results of races and of sprints have the same columns. #}
{% macro results_of(table) -%}
with source as (

    select * from {{ source('jolpica', table) }}
    where gone_at is null

),

final as (

    select
        {{ surrogate_key(["season", "payload:Race.circuitId", "payload:Race.raceName"]) }} as event_key,
        season,
        round,
        entity as result_id,
        cast(payload:Driver.driverId as varchar) as driver_id,
        cast(payload:Constructor.constructorId as varchar) as constructor_id,
        cast(payload:number as varchar) as driver_number,
        cast(payload:grid as int) as grid_position,
        cast(payload:position as int) as position_order,
        cast(payload:positionText as varchar) as position_text,
        try_cast(cast(payload:positionText as varchar) as int) as position,
        cast(payload:points as decimal(6, 2)) as points,
        cast(payload:laps as int) as laps_completed,
        cast(payload:status as varchar) as status,
        cast(payload:Time.millis as int) as time_ms,
        cast(payload:Time.time as varchar) as time_text,
        cast(payload:FastestLap.lap as int) as fastest_lap_number,
        cast(payload:FastestLap.rank as int) as fastest_lap_rank,
        {{ milliseconds('cast(payload:FastestLap.Time.time as varchar)') }} as fastest_lap_ms,
        content_hash,
        first_seen as valid_since,
        last_seen as last_seen_at
    from source

)

select * from final
{%- endmacro %}
