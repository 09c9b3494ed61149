with standings as (

    select * from {{ ref('stg_jolpica__constructor_standings') }}

),

events as (

    select
        event_key,
        season,
        round
    from {{ ref('fact_events') }}
    where event_status <> 'cancelled'

),

final as (

    select
        {{ surrogate_key(['events.event_key', 'standings.constructor_id']) }} as constructor_standing_key,
        events.event_key,
        {{ surrogate_key(['standings.constructor_id']) }} as constructor_key,
        standings.season,
        standings.round,
        standings.constructor_id,
        standings.position,
        standings.points,
        standings.wins
    from standings
    inner join events on standings.season = events.season and standings.round = events.round

)

select * from final
