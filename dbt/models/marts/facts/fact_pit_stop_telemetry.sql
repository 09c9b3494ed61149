{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='session_key',
    post_hook='{{ delete_unchosen_runs() }}',
    on_schema_change='append_new_columns'
) }}

{% set visits -%}
select
        session_key,
        entry_key,
        driver_number,
        lap_number,
        pit_in_ms,
        lead(lap_number) over (partition by entry_key order by lap_number) as next_lap_number,
        lead(pit_out_ms) over (partition by entry_key order by lap_number) as pit_out_ms
    from {{ ref('fact_laps') }}
{%- endset %}

{% set has_visits %}
runs.session_key in (
            select visits.session_key
            from (
    {{ visits }}
            ) as visits
            where visits.pit_in_ms <= visits.pit_out_ms
        )
{%- endset %}

with recorded as (

    {{ changed_samples(has_visits) }}

),

visits as (

    {{ visits }}

),

{# Samples of a live run have no lap. #}
final as (

    select
        {{ surrogate_key(['visits.entry_key', 'visits.lap_number']) }} as pit_stop_key,
        visits.session_key,
        recorded.session_date,
        count(*) as samples,
        max(iff(recorded.speed_kmh < 2, recorded.session_time_ms, null))
        - min(iff(recorded.speed_kmh < 2, recorded.session_time_ms, null)) as stationary_ms,
        recorded.run_state
    from visits
    inner join recorded
        on
            visits.session_key = recorded.session_key
            and visits.driver_number = recorded.driver_number
            and recorded.session_time_ms between visits.pit_in_ms and visits.pit_out_ms
            and (
                recorded.lap_number is null
                or recorded.lap_number between visits.lap_number and visits.next_lap_number
            )
    group by visits.entry_key, visits.lap_number, visits.session_key, recorded.session_date, recorded.run_state

)

select * from final
