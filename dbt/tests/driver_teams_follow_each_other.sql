-- Our rule: a driver is in one team at a time.
select
    earlier.driver_id,
    earlier.valid_from,
    later.valid_from as next_from
from {{ ref('dim_driver_team') }} as earlier
inner join {{ ref('dim_driver_team') }} as later
    on
        earlier.driver_key = later.driver_key
        and earlier.driver_team_key <> later.driver_team_key
        and earlier.valid_from <= later.valid_from
where earlier.valid_to is null or later.valid_from <= earlier.valid_to
