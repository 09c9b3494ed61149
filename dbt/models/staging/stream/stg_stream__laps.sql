with laps as (

    select * from {{ source('stream', 'laps') }}

),

runs as (

    select * from {{ ref('stg_stream__runs') }}
    where is_chosen

),

final as (

    select
        laps.session_key,
        laps.session_date,
        laps.driver_number,
        laps.driver as driver_code,
        laps.team as team_name,
        laps.lap_number,
        laps.start_ms,
        laps.end_ms,
        laps.start_utc as started_at,
        laps.lap_time_ms,
        laps.sector1_ms,
        laps.sector2_ms,
        laps.sector3_ms,
        laps.pit_in_ms,
        laps.pit_out_ms,
        laps.speed_i1 as speed_i1_kmh,
        laps.speed_i2 as speed_i2_kmh,
        laps.speed_fl as speed_finish_line_kmh,
        laps.speed_st as speed_trap_kmh,
        laps.stint as feed_stint_number,
        laps.compound,
        laps.tyre_life,
        laps.fresh_tyre as is_fresh_tyre,
        laps.position,
        laps.track_status,
        coalesce(laps.is_personal_best, false) as is_personal_best,
        coalesce(laps.deleted, false) as is_deleted,
        laps.deleted_reason,
        laps.generated as is_generated,
        coalesce(laps.is_accurate, false) as is_accurate
    from laps
    inner join runs
        on
            laps.session_key = runs.session_key
            and laps.source = runs.source
            and laps.epoch = runs.epoch
    qualify
        row_number() over (
            partition by laps.session_key, laps.driver_number, laps.lap_number
            order by laps.emitted_ms desc, laps.seq desc
        ) = 1

)

select * from final
