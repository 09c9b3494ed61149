{{ config(materialized='view') }}

with drivers as (

    select
        {{ surrogate_key(["'drivers'", "standings.driver_standing_key"]) }} as standing_key,
        'drivers' as championship,
        standings.event_key,
        standings.season,
        standings.round,
        standings.position,
        drivers.full_name as name,
        drivers.driver_code as code,
        constructors.constructor_name as team_name,
        standings.points,
        standings.wins
    from {{ ref('fact_driver_standings') }} as standings
    inner join {{ ref('dim_driver') }} as drivers on standings.driver_key = drivers.driver_key
    left outer join {{ ref('dim_constructor') }} as constructors
        on standings.constructor_key = constructors.constructor_key

),

constructors as (

    select
        {{ surrogate_key(["'constructors'", "standings.constructor_standing_key"]) }} as standing_key,
        'constructors' as championship,
        standings.event_key,
        standings.season,
        standings.round,
        standings.position,
        constructors.constructor_name as name,
        cast(null as varchar) as code,
        cast(null as varchar) as team_name,
        standings.points,
        standings.wins
    from {{ ref('fact_constructor_standings') }} as standings
    inner join {{ ref('dim_constructor') }} as constructors
        on standings.constructor_key = constructors.constructor_key

),

final as (

    select * from drivers
    union all
    select * from constructors

)

select * from final
