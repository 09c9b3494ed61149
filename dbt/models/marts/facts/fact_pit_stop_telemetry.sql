{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='session_key',
    post_hook='{{ delete_unchosen_runs() }}',
    on_schema_change='fail'
) }}

{% set has_visits %}
exists (
            select laps.session_key
            from {{ ref('fact_laps') }} as laps
            where laps.session_key = runs.session_key and laps.pit_in_ms is not null
        )
{%- endset %}

with recorded as (

    {{ changed_samples(has_visits) }}

),

laps as (

    select
        session_key,
        entry_key,
        driver_number,
        lap_number,
        pit_in_ms,
        lead(lap_number) over (partition by entry_key order by lap_number) as next_lap_number,
        lead(pit_out_ms) over (partition by entry_key order by lap_number) as pit_out_ms
    from {{ ref('fact_laps') }}

),

final as (

    select
        {{ surrogate_key(['laps.entry_key', 'laps.lap_number']) }} as pit_stop_key,
        laps.session_key,
        recorded.session_date,
        count(*) as samples,
        max(iff(recorded.speed_kmh < 2, recorded.session_time_ms, null))
        - min(iff(recorded.speed_kmh < 2, recorded.session_time_ms, null)) as stationary_ms,
        recorded.run_state
    from laps
    inner join recorded
        on
            laps.session_key = recorded.session_key
            and laps.driver_number = recorded.driver_number
            and recorded.session_time_ms between laps.pit_in_ms and laps.pit_out_ms
            and recorded.lap_number between laps.lap_number and laps.next_lap_number
    group by laps.entry_key, laps.lap_number, laps.session_key, recorded.session_date, recorded.run_state

)

select * from final
