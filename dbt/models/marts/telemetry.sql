{{ config(materialized='view') }}

with final as (

    select
        telemetry.session_key,
        telemetry.session_date,
        {{ surrogate_key(['telemetry.session_key', 'telemetry.driver_number']) }} as entry_key,
        telemetry.driver_number,
        telemetry.lap_number,
        telemetry.session_time_ms,
        telemetry.sampled_at,
        telemetry.x_dm,
        telemetry.y_dm,
        telemetry.z_dm,
        telemetry.speed_kmh,
        telemetry.rpm,
        telemetry.throttle_percent,
        telemetry.is_braking,
        telemetry.gear,
        telemetry.drs_code,
        telemetry.distance_m,
        telemetry.relative_distance,
        telemetry.driver_number_ahead,
        telemetry.distance_to_driver_ahead_m
    from {{ ref('stg_stream__telemetry') }} as telemetry

)

select * from final
