with source as (

    select * from {{ source('jolpica', 'jolpica_races') }}

),

final as (

    select
        {{ race_columns() }},
        cast(payload:FirstPractice.date as date) as first_practice_date,
        cast(payload:FirstPractice.time as varchar) as first_practice_time,
        cast(payload:SecondPractice.date as date) as second_practice_date,
        cast(payload:SecondPractice.time as varchar) as second_practice_time,
        cast(payload:ThirdPractice.date as date) as third_practice_date,
        cast(payload:ThirdPractice.time as varchar) as third_practice_time,
        coalesce(
            cast(payload:SprintQualifying.date as date), cast(payload:SprintShootout.date as date)
        ) as sprint_qualifying_date,
        coalesce(
            cast(payload:SprintQualifying.time as varchar), cast(payload:SprintShootout.time as varchar)
        ) as sprint_qualifying_time,
        cast(payload:Sprint.date as date) as sprint_date,
        cast(payload:Sprint.time as varchar) as sprint_time,
        cast(payload:Qualifying.date as date) as qualifying_date,
        cast(payload:Qualifying.time as varchar) as qualifying_time,
        cast(payload:url as varchar) as wikipedia_url,
        payload,
        content_hash,
        first_seen as valid_since,
        last_seen as last_seen_at,
        gone_at
    from source

)

select * from final
