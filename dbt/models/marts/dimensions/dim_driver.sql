with drivers as (

    select * from {{ ref('stg_jolpica__drivers') }}

),

final as (

    select
        {{ surrogate_key(['driver_id']) }} as driver_key,
        driver_id,
        driver_code,
        permanent_number,
        given_name,
        family_name,
        given_name || ' ' || family_name as full_name,
        date_of_birth,
        nationality,
        min(season) over (partition by driver_id) as first_season,
        max(season) over (partition by driver_id) as last_season,
        wikipedia_url
    from drivers
    qualify row_number() over (partition by driver_id order by season desc) = 1

)

select * from final
