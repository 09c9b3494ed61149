{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='session_key',
    cluster_by=['session_date'],
    on_schema_change='fail'
) }}

{# Samples within this radius of a corner belong to it, 1/10 m. #}
{% set radius_dm = 500 %}

with changed as (

    {{ changed_sessions() }}

),

corners as (

    select
        messages.session_key,
        trim(cast(get(corner.value, 0) as varchar), '"') as corner,
        cast(get(corner.value, 1) as float) as x_dm,
        cast(get(corner.value, 2) as float) as y_dm
    from {{ ref('stg_stream__messages') }} as messages,
        lateral flatten(input => messages.payload:corners) as corner
    where messages.kind = 'track'

),

samples as (

    select telemetry.*
    from {{ ref('stg_stream__telemetry') }} as telemetry
    inner join changed on telemetry.session_key = changed.session_key
    inner join {{ ref('fact_laps') }} as laps
        on
            telemetry.session_key = laps.session_key
            and telemetry.driver_number = laps.driver_number
            and telemetry.lap_number = laps.lap_number
    where telemetry.speed_kmh > 0

),

final as (

    select
        {{ surrogate_key(
            ['samples.session_key', 'samples.driver_number', 'samples.lap_number', 'corners.corner']
        ) }} as lap_corner_key,
        {{ surrogate_key(['samples.session_key', 'samples.driver_number', 'samples.lap_number']) }} as lap_key,
        samples.session_key,
        samples.session_date,
        samples.driver_number,
        samples.lap_number,
        corners.corner,
        min(samples.speed_kmh) as minimum_speed_kmh,
        count(*) as samples,
        samples.run_state
    from samples
    inner join corners
        on
            samples.session_key = corners.session_key
            and samples.x_dm between corners.x_dm - {{ radius_dm }} and corners.x_dm + {{ radius_dm }}
            and samples.y_dm between corners.y_dm - {{ radius_dm }} and corners.y_dm + {{ radius_dm }}
            and square(samples.x_dm - corners.x_dm) + square(samples.y_dm - corners.y_dm) <= square({{ radius_dm }})
    group by
        samples.session_key, samples.session_date, samples.driver_number, samples.lap_number, corners.corner,
        samples.run_state

)

select * from final
