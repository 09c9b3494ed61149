with changes as (

    select
        entry_key,
        lap_number
    from {{ ref('fact_pit_stops') }}
    where is_tyre_change

),

laps as (

    select
        laps.*,
        1 + count(changes.lap_number) over (
            partition by laps.entry_key
            order by laps.lap_number
            rows between unbounded preceding and 1 preceding
        ) as stint_number
    from {{ ref('fact_laps') }} as laps
    left outer join changes on laps.entry_key = changes.entry_key and laps.lap_number = changes.lap_number

),

{# A lap right after a neutralisation begins at the speed of the queue behind the safety car, or at standstill. #}
placed as (

    select
        *,
        row_number() over (partition by entry_key, stint_number order by lap_number) = 1 as is_first_of_stint,
        coalesce(
            regexp_like(lag(track_status) over (partition by entry_key order by lap_number), '.*[4-7].*'), false
        ) as is_restart,
        first_value(compound) ignore nulls over (
            partition by entry_key, stint_number
            order by lap_number
            rows between unbounded preceding and unbounded following
        ) as compound_of_stint,
        first_value(is_fresh_tyre) ignore nulls over (
            partition by entry_key, stint_number
            order by lap_number
            rows between unbounded preceding and unbounded following
        ) as is_fresh_tyre_of_stint
    from laps

),

clean as (

    select
        *,
        iff(
            is_green and is_accurate
            and not is_in_lap and not is_out_lap and not is_first_of_stint and not is_restart,
            lap_time_ms, null
        ) as clean_lap_time_ms
    from placed

),

stints as (

    select
        entry_key,
        session_key,
        driver_number,
        stint_number,
        min(lap_number) as first_lap,
        max(lap_number) as last_lap,
        count(*) as laps,
        compound_of_stint as compound,
        is_fresh_tyre_of_stint as is_fresh_tyre,
        max(iff(is_first_of_stint, tyre_life, null)) as tyre_life_at_start,
        count(clean_lap_time_ms) as clean_laps,
        cast(median(clean_lap_time_ms) as float) as median_clean_lap_time_ms,
        iff(
            count(clean_lap_time_ms) >= 5, cast(regr_slope(clean_lap_time_ms, lap_number) as float), null
        ) as degradation_ms_per_lap,
        iff(
            count(clean_lap_time_ms) >= 5, cast(regr_r2(clean_lap_time_ms, lap_number) as float), null
        ) as degradation_r2
    from clean
    group by entry_key, session_key, driver_number, stint_number, compound_of_stint, is_fresh_tyre_of_stint

),

final as (

    select
        {{ surrogate_key(['stints.entry_key', 'stints.stint_number']) }} as stint_key,
        stints.entry_key,
        stints.session_key,
        stints.driver_number,
        entries.driver_code,
        stints.stint_number,
        stints.first_lap,
        stints.last_lap,
        stints.laps,
        stints.compound,
        stints.is_fresh_tyre,
        stints.tyre_life_at_start,
        stints.clean_laps,
        stints.median_clean_lap_time_ms,
        stints.degradation_ms_per_lap,
        stints.degradation_r2
    from stints
    left outer join {{ ref('dim_session_entry') }} as entries on stints.entry_key = entries.entry_key

)

select * from final
