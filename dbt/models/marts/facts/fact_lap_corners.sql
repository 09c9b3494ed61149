{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='session_key',
    post_hook='{{ delete_unchosen_runs() }}',
    on_schema_change='append_new_columns'
) }}

{# How far from a corner its samples are, at most. #}
{% set radius_m = 50 %}
{% set radius_dm = 10 * radius_m %}
{% set within_lap -%}
    over (
        partition by recorded.session_key, recorded.driver_number, recorded.lap_number
        order by recorded.session_time_ms, recorded.packet_number, recorded.sample_number
    )
{%- endset %}

{% set has_corners %}
exists (
            select messages.session_key
            from {{ ref('stg_stream__messages') }} as messages
            where
                messages.session_key = runs.session_key
                and messages.kind = 'track'
                and messages.payload:corners[0] is not null
        )
{%- endset %}

with recorded as (

    {{ changed_samples(has_corners) }}

),

{# A session can have several outlines; the last one with corners counts. #}
tracks as (

    select
        session_key,
        payload
    from {{ ref('stg_stream__messages') }}
    where kind = 'track' and payload:corners[0] is not null
    qualify row_number() over (partition by session_key order by message_number desc) = 1

),

corners as (

    select
        tracks.session_key,
        trim(cast(get(corner.value, 0) as varchar), '"') as corner,
        cast(get(corner.value, 1) as float) as x_dm,
        cast(get(corner.value, 2) as float) as y_dm
    from tracks,
        lateral flatten(input => tracks.payload:corners) as corner

),

{# With what changes until the car's next sample, 0 after its last one of the lap. #}
samples as (

    select
        recorded.*,
        coalesce(lead(recorded.x_dm) {{ within_lap }} - recorded.x_dm, 0) as x_dm_change,
        coalesce(lead(recorded.y_dm) {{ within_lap }} - recorded.y_dm, 0) as y_dm_change,
        coalesce(lead(recorded.distance_m) {{ within_lap }} - recorded.distance_m, 0) as distance_m_change,
        coalesce(lead(recorded.speed_kmh) {{ within_lap }} - recorded.speed_kmh, 0) as speed_kmh_change
    from recorded
    inner join {{ ref('fact_laps') }} as laps
        on
            recorded.session_key = laps.session_key
            and recorded.driver_number = laps.driver_number
            and recorded.lap_number = laps.lap_number
    where recorded.speed_kmh > 0

),

near as (

    select
        samples.*,
        corners.corner,
        corners.x_dm as corner_x_dm,
        corners.y_dm as corner_y_dm,
        (
            (corners.x_dm - samples.x_dm) * samples.x_dm_change + (corners.y_dm - samples.y_dm) * samples.y_dm_change
        ) / nullif(square(samples.x_dm_change) + square(samples.y_dm_change), 0) as nearest_share,
        square(samples.x_dm_change) + square(samples.y_dm_change) <= square(2 * {{ radius_dm }}) as has_next
    from samples
    inner join corners
        on
            samples.session_key = corners.session_key
            and samples.x_dm between corners.x_dm - {{ radius_dm }} and corners.x_dm + {{ radius_dm }}
            and samples.y_dm between corners.y_dm - {{ radius_dm }} and corners.y_dm + {{ radius_dm }}
            and square(samples.x_dm - corners.x_dm) + square(samples.y_dm - corners.y_dm) <= square({{ radius_dm }})

),

{# The share of the way to the next sample at which the car is nearest to the corner; 0 if that is at a sample. #}
passing as (

    select
        *,
        iff(has_next and nearest_share between 0 and 1, nearest_share, 0) as share
    from near

),

{# Each lap has its own distances to the corners: cars differ by some metres at the end of a lap, and on the first lap
   by their place on the grid. #}
passed as (

    select
        session_key,
        driver_number,
        lap_number,
        corner,
        distance_m + share * distance_m_change as corner_m,
        speed_kmh + share * speed_kmh_change as speed_at_corner_kmh
    from passing
    qualify
        row_number() over (
            partition by session_key, driver_number, lap_number, corner
            order by
                square(x_dm + share * x_dm_change - corner_x_dm) + square(y_dm + share * y_dm_change - corner_y_dm),
                session_time_ms, packet_number, sample_number
        ) = 1

),

bounded as (

    select
        *,
        0.5 * (
            corner_m + lag(corner_m) over (partition by session_key, driver_number, lap_number order by corner_m)
        ) as begins_m,
        0.5 * (
            corner_m + lead(corner_m) over (partition by session_key, driver_number, lap_number order by corner_m)
        ) as ends_m
    from passed

),

final as (

    select
        {{ surrogate_key(['near.session_key', 'near.driver_number', 'near.lap_number', 'near.corner']) }}
            as lap_corner_key,
        {{ surrogate_key(['near.session_key', 'near.driver_number', 'near.lap_number']) }} as lap_key,
        near.session_key,
        near.session_date,
        near.driver_number,
        near.lap_number,
        near.corner,
        bounded.speed_at_corner_kmh,
        min(near.speed_kmh) as minimum_speed_kmh,
        count(*) as samples,
        near.run_state
    from near
    inner join bounded
        on
            near.session_key = bounded.session_key
            and near.driver_number = bounded.driver_number
            and near.lap_number = bounded.lap_number
            and near.corner = bounded.corner
            and abs(near.distance_m - bounded.corner_m) <= {{ radius_m }}
            and (bounded.begins_m is null or near.distance_m > bounded.begins_m)
            and (bounded.ends_m is null or near.distance_m <= bounded.ends_m)
    group by
        near.session_key, near.session_date, near.driver_number, near.lap_number, near.corner,
        bounded.speed_at_corner_kmh, near.run_state

)

select * from final
