{{ config(severity='warn', store_failures=true) }}

-- Lists every car whose result from the laps differs from the official one for no reason that we know.
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
