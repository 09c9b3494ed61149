-- Our rule: every lap of a car belongs to exactly one of its stints.
select
    laps.lap_key,
    count(stints.stint_key) as stints
from {{ ref('fact_laps') }} as laps
left outer join {{ ref('fact_stints') }} as stints
    on laps.entry_key = stints.entry_key and laps.lap_number between stints.first_lap and stints.last_lap
group by laps.lap_key
having count(stints.stint_key) <> 1
