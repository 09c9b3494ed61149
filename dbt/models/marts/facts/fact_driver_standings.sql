with standings as (

    select * from {{ ref('stg_jolpica__driver_standings') }}

),

events as (

    select
        event_key,
        season,
        round,
        race_date
    from {{ ref('fact_events') }}
    where event_status <> 'cancelled'

),

teams as (

    select
        driver_id,
        constructor_key,
        constructor_id,
        valid_from,
        valid_to
    from {{ ref('dim_driver_team') }}

),

final as (

    select
        {{ surrogate_key(['events.event_key', 'standings.driver_id']) }} as driver_standing_key,
        events.event_key,
        {{ surrogate_key(['standings.driver_id']) }} as driver_key,
        teams.constructor_key,
        standings.season,
        standings.round,
        standings.driver_id,
        teams.constructor_id,
        standings.position,
        standings.points,
        standings.wins
    from standings
    inner join events on standings.season = events.season and standings.round = events.round
    left outer join teams
        on
            standings.driver_id = teams.driver_id
            and events.race_date >= teams.valid_from
            and (teams.valid_to is null or events.race_date <= teams.valid_to)

)

select * from final
