{{ config(severity='warn', store_failures=true) }}

-- Lists facts on which the stream and the API differ. A pit-lane start has no grid position in the stream, while the
-- API gives the last one, which stayed empty; that is not a difference.
select
    'fastest lap' as fact,
    race_result_key as fact_key,
    stream_fastest_lap_ms as stream,
    official_fastest_lap_ms as official
from {{ ref('fact_race_results') }}
where stream_fastest_lap_ms <> official_fastest_lap_ms

union all

select
    'grid' as fact,
    race_result_key as fact_key,
    stream_grid_position as stream,
    official_grid_position as official
from {{ ref('fact_race_results') }}
where stream_grid_position <> official_grid_position and stream_grid_position > 0

union all

select
    'laps completed' as fact,
    race_result_key as fact_key,
    stream_laps as stream,
    laps_completed as official
from {{ ref('fact_race_results') }}
where result_source = 'jolpica' and stream_laps <> laps_completed

union all

select
    'time in the pit lane' as fact,
    pit_stop_key as fact_key,
    lane_ms as stream,
    official_lane_ms as official
from {{ ref('fact_pit_stops') }}
where abs(lane_ms - official_lane_ms) > 1000

union all

select
    'lap time' as fact,
    lap_key as fact_key,
    lap_time_ms as stream,
    official_lap_time_ms as official
from {{ ref('fact_race_laps') }}
where lap_time_source = 'stream' and lap_time_ms <> official_lap_time_ms
