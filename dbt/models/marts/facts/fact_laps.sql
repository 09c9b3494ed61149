with laps as (

    select * from {{ ref('stg_stream__laps') }}

),

final as (

    select
        {{ surrogate_key(['session_key', 'driver_number', 'lap_number']) }} as lap_key,
        {{ surrogate_key(['session_key', 'driver_number']) }} as entry_key,
        session_key,
        session_date,
        driver_number,
        lap_number,
        start_ms,
        end_ms,
        end_ms - start_ms as measured_lap_time_ms,
        lap_time_ms,
        sector1_ms,
        sector2_ms,
        sector3_ms,
        speed_i1_kmh,
        speed_i2_kmh,
        speed_finish_line_kmh,
        speed_trap_kmh,
        position,
        compound,
        tyre_life,
        is_fresh_tyre,
        pit_in_ms,
        pit_out_ms,
        pit_in_ms is not null as is_in_lap,
        pit_out_ms is not null as is_out_lap,
        track_status,
        coalesce(track_status = '1', false) as is_green,
        is_personal_best,
        is_deleted,
        deleted_reason,
        is_generated,
        is_accurate
    from laps

)

select * from final
