{# A car is classified with this share of the winner's laps, rounded down (sporting regulations). #}
{% set classified_share = 0.9 %}
{# The feed's lap ends differ from the official times by at most this much. #}
{% set tolerance_ms = 100 %}

with sessions as (

    select * from {{ ref('dim_session') }}
    where is_grand_prix

),

laps as (

    select laps.*
    from {{ ref('fact_laps') }} as laps
    inner join sessions on laps.session_key = sessions.session_key

),

driven as (

    select
        session_key,
        entry_key,
        max(iff(is_generated, 0, lap_number)) as laps_completed,
        max(iff(is_generated, null, end_ms)) as last_end_ms,
        min(iff(is_generated or is_deleted, null, lap_time_ms)) as fastest_lap_ms,
        max(end_ms) as last_seen_ms
    from laps
    group by session_key, entry_key

),

{# A car's first lap time counts from the lights. A live feed has no times of lap 1: the API's are used, and until it
   has them the feed's "Started", which is up to 250 ms earlier or later. Each car's lap end has an error of its own,
   so the median over all cars is used. #}
lights as (

    select
        session_key,
        coalesce(median(end_ms - lap_time_ms), median(end_ms - measured_lap_time_ms)) as lights_out_ms
    from {{ ref('fact_race_laps') }}
    where lap_number = 1
    group by session_key

),

penalties as (

    select
        entry_key,
        cast(sum(seconds) as int) as seconds
    from {{ ref('fact_penalties') }}
    where penalty_type = 'time' and served_ms is null
    group by entry_key

),

retirements as (

    select distinct
        session_key,
        driver_number
    from {{ ref('stg_stream__messages') }}
    where kind = 'retirement'

),

timed as (

    select
        entries.session_key,
        entries.entry_key,
        entries.driver_number,
        entries.driver_key,
        entries.constructor_key,
        entries.driver_code,
        entries.full_name,
        entries.team_name,
        entries.grid_position,
        entries.is_pit_lane_start,
        coalesce(driven.laps_completed, 0) as laps_completed,
        cast(round(driven.last_end_ms - lights.lights_out_ms) as int) as driven_ms,
        coalesce(penalties.seconds, 0) as penalty_seconds,
        cast(round(driven.last_end_ms - lights.lights_out_ms) as int)
        + 1000 * coalesce(penalties.seconds, 0) as race_time_ms,
        driven.fastest_lap_ms,
        driven.last_seen_ms,
        retirements.driver_number is not null as is_retired,
        max(coalesce(driven.laps_completed, 0)) over (partition by entries.session_key) as winner_laps
    from {{ ref('dim_session_entry') }} as entries
    inner join sessions on entries.session_key = sessions.session_key
    left outer join driven on entries.entry_key = driven.entry_key
    left outer join lights on entries.session_key = lights.session_key
    left outer join penalties on entries.entry_key = penalties.entry_key
    left outer join retirements
        on entries.session_key = retirements.session_key and entries.driver_number = retirements.driver_number

),

ranked as (

    select
        *,
        laps_completed >= 1 and laps_completed >= floor({{ classified_share }} * winner_laps) as is_classified,
        row_number() over (
            partition by session_key
            order by
                iff(laps_completed >= 1 and laps_completed >= floor({{ classified_share }} * winner_laps), 0, 1),
                laps_completed desc,
                race_time_ms asc nulls last,
                grid_position asc nulls last,
                driver_number asc
        ) as position_order
    from timed

),

stream as (

    select
        ranked.*,
        sessions.event_key,
        sessions.source,
        iff(ranked.is_classified, ranked.position_order, null) as position,
        ranked.race_time_ms - min(ranked.race_time_ms) over (
            partition by ranked.session_key, ranked.laps_completed
        ) as gap_ms,
        iff(ranked.is_classified, coalesce(points.points, 0), 0) as points
    from ranked
    inner join sessions on ranked.session_key = sessions.session_key
    left outer join {{ ref('points_systems') }} as points
        on
            points.session_type = 'Race'
            and ranked.position_order = points.position
            and year(sessions.session_date) >= points.first_season
            and (points.last_season is null or year(sessions.session_date) <= points.last_season)

),

official as (

    select
        *,
        {{ surrogate_key(['driver_id']) }} as driver_key,
        {{ surrogate_key(['constructor_id']) }} as constructor_key
    from {{ ref('stg_jolpica__results') }}
    qualify row_number() over (partition by event_key, result_id order by last_seen_at desc) = 1

),

joined as (

    select
        coalesce(official.event_key, stream.event_key) as event_key,
        stream.session_key,
        stream.entry_key,
        coalesce(official.driver_key, stream.driver_key) as driver_key,
        coalesce(official.constructor_key, stream.constructor_key) as constructor_key,
        coalesce(official.result_id, stream.driver_number) as result_id,
        coalesce(official.driver_number, stream.driver_number) as driver_number,
        stream.driver_code,
        stream.full_name,
        stream.team_name,
        stream.position_order as stream_position_order,
        stream.position as stream_position,
        stream.laps_completed as stream_laps,
        stream.driven_ms as stream_driven_ms,
        stream.race_time_ms as stream_time_ms,
        stream.gap_ms as stream_gap_ms,
        stream.penalty_seconds as stream_penalty_seconds,
        stream.points as stream_points,
        stream.grid_position as stream_grid_position,
        stream.is_pit_lane_start,
        stream.fastest_lap_ms as stream_fastest_lap_ms,
        official.position_order as official_position_order,
        official.position as official_position,
        official.position_text as official_position_text,
        official.status as official_status,
        official.laps_completed as official_laps,
        iff(
            official.laps_completed = max(official.laps_completed) over (partition by official.event_key),
            official.time_ms, null
        ) as official_time_ms,
        official.points as official_points,
        official.grid_position as official_grid_position,
        official.fastest_lap_ms as official_fastest_lap_ms,
        stream.is_classified as stream_is_classified
    from official
    full outer join stream
        on official.event_key = stream.event_key and official.driver_key = stream.driver_key

),

explained as (

    select
        *,
        count_if(
            stream_time_ms is not null and official_time_ms is not null and stream_penalty_seconds > 0
            and abs(stream_driven_ms - official_time_ms) < abs(stream_time_ms - official_time_ms)
        ) over (partition by event_key) as annulled_penalties,
        count_if(
            official_time_ms - stream_time_ms >= 1000
        ) over (partition by event_key) as later_penalties,
        count_if(official_position_text in ('D', 'E')) over (partition by event_key) as disqualifications
    from joined

),

final as (

    select
        {{ surrogate_key(['coalesce(event_key, session_key)', 'result_id']) }} as race_result_key,
        event_key,
        session_key,
        entry_key,
        driver_key,
        constructor_key,
        driver_number,
        driver_code,
        full_name,
        team_name,
        coalesce(official_position_order, stream_position_order) as position_order,
        iff(official_position_order is null, stream_position, official_position) as position,
        coalesce(official_position_text, cast(stream_position as varchar), 'R') as position_text,
        coalesce(official_laps, stream_laps) as laps_completed,
        coalesce(official_time_ms, stream_time_ms) as race_time_ms,
        coalesce(official_points, stream_points) as points,
        coalesce(official_grid_position, stream_grid_position) as grid_position,
        coalesce(official_fastest_lap_ms, stream_fastest_lap_ms) as fastest_lap_ms,
        coalesce(official_status, iff(stream_is_classified, 'Finished', 'Retired')) as status,
        iff(official_position_order is null, 'stream', 'jolpica') as result_source,
        stream_position_order,
        stream_position,
        stream_laps,
        stream_driven_ms,
        stream_time_ms,
        stream_gap_ms,
        stream_penalty_seconds,
        stream_points,
        stream_grid_position,
        stream_fastest_lap_ms,
        official_position_order,
        official_position,
        official_time_ms,
        official_points,
        official_grid_position,
        official_fastest_lap_ms,
        case
            when official_position_order is null or stream_position_order is null then null
            when
                stream_position_order = official_position_order
                and stream_laps = official_laps
                and coalesce(abs(stream_time_ms - official_time_ms), 0) <= {{ tolerance_ms }}
                then 'same'
            when official_position_text in ('D', 'E') then 'disqualified'
            when
                stream_penalty_seconds > 0
                and abs(stream_driven_ms - official_time_ms) < abs(stream_time_ms - official_time_ms)
                then 'penalty annulled'
            when official_time_ms - stream_time_ms >= 1000 then 'penalty after the race'
            when
                stream_laps = official_laps and stream_position is null and official_position is null
                then 'order of retired cars'
            when
                stream_laps = official_laps
                and coalesce(abs(stream_time_ms - official_time_ms), 0) <= {{ tolerance_ms }}
                and annulled_penalties + later_penalties + disqualifications > 0
                then 'moved by the penalty of another car'
            else 'unexplained'
        end as reconciliation
    from explained

)

select * from final
