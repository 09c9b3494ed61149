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

clean as (

    select
        *,
        iff(
            is_green and is_accurate and not is_in_lap and not is_out_lap, lap_time_ms, null
        ) as clean_lap_time_ms
    from laps

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
        min_by(compound, lap_number) as compound,
        min_by(is_fresh_tyre, lap_number) as is_fresh_tyre,
        min_by(tyre_life, lap_number) as tyre_life_at_start,
        count(clean_lap_time_ms) as clean_laps,
        cast(median(clean_lap_time_ms) as float) as median_clean_lap_time_ms,
        iff(
            count(clean_lap_time_ms) >= 5, cast(regr_slope(clean_lap_time_ms, lap_number) as float), null
        ) as degradation_ms_per_lap
    from clean
    group by entry_key, session_key, driver_number, stint_number

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
        stints.degradation_ms_per_lap
    from stints
    left outer join {{ ref('dim_session_entry') }} as entries on stints.entry_key = entries.entry_key

)

select * from final
