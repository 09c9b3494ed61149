with final as (

    select
        kafka_offset as letter_number,
        kafka_partition as letter_partition,
        published_at,
        consumer,
        refused_topic,
        refused_partition,
        refused_offset,
        reason
    from {{ source('stream', 'dead_letters') }}

)

select * from final
