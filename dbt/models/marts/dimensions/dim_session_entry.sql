with sessions as (

    select * from {{ ref('dim_session') }}

),

entries as (

    select
        messages.session_key,
        cast(entry.value:driver_number as varchar) as driver_number,
        cast(entry.value:tla as varchar) as driver_code,
        cast(entry.value:name as varchar) as full_name,
        cast(entry.value:team as varchar) as team_name,
        cast(entry.value:team_color as varchar) as team_color,
        cast(entry.value:grid_position as int) as grid_position,
        cast(entry.value:pit_lane_start as boolean) as is_pit_lane_start
    from {{ ref('stg_stream__messages') }} as messages,
        lateral flatten(input => messages.payload:entries) as entry
    where messages.kind = 'entries'
    qualify
        row_number() over (
            partition by messages.session_key, cast(entry.value:driver_number as varchar)
            order by messages.message_number desc
        ) = 1

),

results as (

    select
        event_key,
        driver_number,
        driver_id,
        constructor_id
    from {{ ref('stg_jolpica__results') }}

),

drivers as (

    select
        season,
        driver_id,
        driver_code
    from {{ ref('stg_jolpica__drivers') }}
    where driver_code is not null

),

matched as (

    select
        entries.session_key,
        entries.driver_number,
        entries.driver_code,
        entries.full_name,
        entries.team_name,
        entries.team_color,
        entries.grid_position,
        entries.is_pit_lane_start,
        coalesce(results.driver_id, drivers.driver_id) as driver_id,
        results.constructor_id
    from entries
    inner join sessions on entries.session_key = sessions.session_key
    left outer join results
        on sessions.event_key = results.event_key and entries.driver_number = results.driver_number
    left outer join drivers
        on
            sessions.event_key is not null
            and year(sessions.session_date) = drivers.season
            and entries.driver_code = drivers.driver_code
    qualify
        row_number() over (
            partition by entries.session_key, entries.driver_number
            order by results.driver_id, drivers.driver_id
        ) = 1

),

final as (

    select
        {{ surrogate_key(['session_key', 'driver_number']) }} as entry_key,
        session_key,
        driver_number,
        driver_code,
        full_name,
        team_name,
        team_color,
        grid_position,
        is_pit_lane_start,
        iff(driver_id is null, null, {{ surrogate_key(['driver_id']) }}) as driver_key,
        iff(constructor_id is null, null, {{ surrogate_key(['constructor_id']) }}) as constructor_key
    from matched

)

select * from final
