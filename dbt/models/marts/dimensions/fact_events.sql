with races as (

    select * from {{ ref('stg_jolpica__races') }}

),

held as (

    select distinct event_key from {{ ref('stg_jolpica__results') }}

),

final as (

    select
        races.event_key,
        races.season,
        races.round,
        races.event_name,
        {{ surrogate_key(['races.circuit_id']) }} as circuit_key,
        case
            when held.event_key is not null then 'held'
            when races.gone_at is not null then 'cancelled'
            else 'scheduled'
        end as event_status,
        races.sprint_date is not null as is_sprint_weekend,
        races.race_date,
        races.first_practice_date,
        races.second_practice_date,
        races.third_practice_date,
        races.sprint_qualifying_date,
        races.sprint_date,
        races.qualifying_date,
        {{ utc('races.first_practice_date', 'races.first_practice_time') }} as first_practice_starts_at,
        {{ utc('races.second_practice_date', 'races.second_practice_time') }} as second_practice_starts_at,
        {{ utc('races.third_practice_date', 'races.third_practice_time') }} as third_practice_starts_at,
        {{ utc('races.sprint_qualifying_date', 'races.sprint_qualifying_time') }} as sprint_qualifying_starts_at,
        {{ utc('races.sprint_date', 'races.sprint_time') }} as sprint_starts_at,
        {{ utc('races.qualifying_date', 'races.qualifying_time') }} as qualifying_starts_at,
        {{ utc('races.race_date', 'races.race_time') }} as race_starts_at,
        races.wikipedia_url
    from races
    left outer join held on races.event_key = held.event_key
    qualify row_number() over (partition by races.event_key order by races.gone_at desc nulls first) = 1

)

select * from final
