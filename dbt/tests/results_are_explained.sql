{{ config(severity='warn', store_failures=true) }}

-- Lists every car whose computed result differs from the official one without a known reason.
select
    race_result_key,
    event_key,
    driver_code,
    stream_position_order,
    official_position_order,
    stream_time_ms,
    official_time_ms
from {{ ref('fact_race_results') }}
where reconciliation = 'unexplained'
