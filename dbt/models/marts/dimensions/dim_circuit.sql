with circuits as (

    select * from {{ ref('stg_jolpica__circuits') }}

),

final as (

    select
        {{ surrogate_key(['circuit_id']) }} as circuit_key,
        circuit_id,
        circuit_name,
        locality,
        country,
        latitude,
        longitude,
        min(season) over (partition by circuit_id) as first_season,
        max(season) over (partition by circuit_id) as last_season,
        wikipedia_url
    from circuits
    qualify row_number() over (partition by circuit_id order by season desc) = 1

)

select * from final
