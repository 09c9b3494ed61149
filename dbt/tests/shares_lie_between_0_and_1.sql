-- Our rule: a share of a lap's time is between 0 and 1.
select
    lap_key,
    full_throttle_share,
    braking_share,
    drs_share
from {{ ref('fact_lap_telemetry') }}
where
    full_throttle_share not between 0 and 1
    or braking_share not between 0 and 1
    or drs_share not between 0 and 1
