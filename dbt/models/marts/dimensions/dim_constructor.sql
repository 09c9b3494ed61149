with constructors as (

    select * from {{ ref('stg_jolpica__constructors') }}

),

final as (

    select
        {{ surrogate_key(['constructor_id']) }} as constructor_key,
        constructor_id,
        constructor_name,
        nationality,
        min(season) over (partition by constructor_id) as first_season,
        max(season) over (partition by constructor_id) as last_season,
        wikipedia_url
    from constructors
    qualify row_number() over (partition by constructor_id order by season desc) = 1

)

select * from final
