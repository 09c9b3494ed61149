{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='session_key',
    post_hook='{{ delete_unchosen_runs() }}',
    on_schema_change='append_new_columns'
) }}

with recorded as (

    {{ changed_samples('runs.lap_rows > 0') }}

),

samples as (

    select
        recorded.session_key,
        recorded.session_date,
        recorded.driver_number,
        coalesce(recorded.lap_number, laps.lap_number) as lap_number,
        recorded.session_time_ms,
        recorded.packet_number,
        recorded.sample_number,
        recorded.speed_kmh,
        recorded.throttle_percent,
        recorded.is_braking,
        recorded.gear,
        recorded.drs_code,
        recorded.run_state
    from recorded
    left outer join {{ ref('fact_laps') }} as laps
        on
            recorded.lap_number is null
            and recorded.session_key = laps.session_key
            and recorded.driver_number = laps.driver_number
            and recorded.session_time_ms >= laps.start_ms
            and recorded.session_time_ms < laps.end_ms

),

timed as (

    select
        *,
        lead(session_time_ms) over (
            partition by session_key, driver_number, lap_number
            order by session_time_ms, packet_number, sample_number
        ) - session_time_ms as lasts_ms,
        lag(gear) over (
            partition by session_key, driver_number, lap_number
            order by session_time_ms, packet_number, sample_number
        ) as gear_before
    from samples
    where lap_number is not null

),

{# The timing has no lap for the one in which a car retired or the session ended. #}
known as (

    select timed.*
    from timed
    inner join {{ ref('fact_laps') }} as laps
        on
            timed.session_key = laps.session_key
            and timed.driver_number = laps.driver_number
            and timed.lap_number = laps.lap_number

),

final as (

    select
        {{ surrogate_key(['session_key', 'driver_number', 'lap_number']) }} as lap_key,
        {{ surrogate_key(['session_key', 'driver_number']) }} as entry_key,
        session_key,
        session_date,
        driver_number,
        lap_number,
        count(*) as samples,
        max(speed_kmh) as top_speed_kmh,
        min(speed_kmh) as minimum_speed_kmh,
        cast(sum(iff(throttle_percent between 98 and 100, lasts_ms, 0)) as float)
        / nullif(sum(iff(throttle_percent <= 100, lasts_ms, 0)), 0) as full_throttle_share,
        cast(sum(iff(is_braking, lasts_ms, 0)) as float) / nullif(sum(lasts_ms), 0) as braking_share,
        cast(sum(iff(drs_code in (1, 10, 12, 14), lasts_ms, 0)) as float)
        / nullif(sum(iff(drs_code is null, null, lasts_ms)), 0) as drs_share,
        count_if(gear between 1 and 8 and gear_before between 1 and 8 and gear <> gear_before) as gear_changes,
        count_if(gear not between 0 and 8 or throttle_percent > 100) as corrupt_samples,
        run_state
    from known
    group by session_key, session_date, driver_number, lap_number, run_state

)

select * from final
