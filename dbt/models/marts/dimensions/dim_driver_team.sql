with starts as (

    select
        results.driver_id,
        results.constructor_id,
        results.driver_number,
        events.race_date
    from {{ ref('stg_jolpica__results') }} as results
    inner join {{ ref('fact_events') }} as events on results.event_key = events.event_key
    where results.constructor_id is not null
    qualify
        row_number() over (
            partition by results.driver_id, events.race_date order by results.position_order
        ) = 1

),

changes as (

    select
        *,
        iff(
            lag(constructor_id) over (partition by driver_id order by race_date) = constructor_id
            and lag(driver_number)
                over (partition by driver_id order by race_date)
            is not distinct from driver_number,
            0, 1
        ) as is_change
    from starts

),

spells as (

    select
        *,
        sum(is_change) over (
            partition by driver_id order by race_date rows between unbounded preceding and current row
        ) as spell
    from changes

),

grouped as (

    select
        driver_id,
        constructor_id,
        driver_number,
        spell,
        min(race_date) as valid_from,
        max(race_date) as last_race_date,
        count(*) as races
    from spells
    group by driver_id, constructor_id, driver_number, spell

),

final as (

    select
        {{ surrogate_key(['driver_id', "to_char(valid_from, 'YYYY-MM-DD')"]) }} as driver_team_key,
        {{ surrogate_key(['driver_id']) }} as driver_key,
        {{ surrogate_key(['constructor_id']) }} as constructor_key,
        driver_id,
        constructor_id,
        driver_number,
        valid_from,
        cast(
            dateadd('day', -1, lead(valid_from) over (partition by driver_id order by valid_from)) as date
        ) as valid_to,
        last_race_date,
        races
    from grouped

)

select * from final
