with messages as (

    select * from {{ source('stream', 'messages') }}

),

runs as (

    select * from {{ ref('stg_stream__runs') }}
    where is_chosen

),

final as (

    select
        messages.session_key,
        messages.session_date,
        messages.seq as message_number,
        messages.kind,
        messages.driver_number,
        messages.session_time_ms,
        messages.payload,
        {# The rule of models/session_type.py, for rows stored before it: the feed gives a sprint the type Race. #}
        case
            when messages.kind <> 'session_info' then null
            when
                cast(messages.payload:type as varchar) = 'Race'
                and lower(cast(messages.payload:name as varchar)) like '%sprint%'
                then 'Sprint'
            else cast(messages.payload:type as varchar)
        end as session_type,
        runs.source,
        runs.epoch,
        runs.is_complete,
        runs.run_state
    from messages
    inner join runs
        on
            messages.session_key = runs.session_key
            and messages.source = runs.source
            and messages.epoch = runs.epoch

)

select * from final
