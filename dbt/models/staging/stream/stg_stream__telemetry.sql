with telemetry as (

    select * from {{ source('stream', 'telemetry') }}

),

runs as (

    select * from {{ ref('stg_stream__runs') }}
    where is_chosen

),

final as (

    select
        telemetry.session_key,
        telemetry.session_date,
        telemetry.driver_number,
        telemetry.kafka_offset as packet_number,
        telemetry.kafka_index as sample_number,
        telemetry.session_time_ms,
        telemetry.utc as sampled_at,
        telemetry.lap as lap_number,
        telemetry.x as x_dm,
        telemetry.y as y_dm,
        telemetry.z as z_dm,
        telemetry.speed as speed_kmh,
        telemetry.rpm,
        telemetry.throttle as throttle_percent,
        telemetry.brake as is_braking,
        telemetry.gear,
        telemetry.drs as drs_code,
        telemetry.distance as distance_m,
        telemetry.relative_distance,
        telemetry.driver_ahead as driver_number_ahead,
        telemetry.distance_to_driver_ahead as distance_to_driver_ahead_m,
        runs.run_state
    from telemetry
    inner join runs
        on
            telemetry.session_key = runs.session_key
            and telemetry.source = runs.source
            and telemetry.epoch = runs.epoch

)

select * from final
