{# The results of races and of sprints have the same columns. #}
{% macro results_of(table) -%}
with source as (

    select * from {{ source('jolpica', table) }}
    where gone_at is null

),

final as (

    select
        {{ result_columns() }},
        round,
        payload,
        content_hash,
        first_seen as valid_since,
        last_seen as last_seen_at
    from source

)

select * from final
{%- endmacro %}
