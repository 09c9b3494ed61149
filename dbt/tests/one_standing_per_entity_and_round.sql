-- Our rule: one row per driver or constructor and round.
select
    season,
    round,
    driver_id as entity,
    count(*) as standings
from {{ ref('fact_driver_standings') }}
group by season, round, driver_id
having count(*) > 1

union all

select
    season,
    round,
    constructor_id as entity,
    count(*) as standings
from {{ ref('fact_constructor_standings') }}
group by season, round, constructor_id
having count(*) > 1
