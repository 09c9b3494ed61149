{# Fails for a version that does not end where the next one of its key begins, or that ends before it begins. #}
{% test versions_follow_each_other(model, key) %}

with versions as (

    select
        {{ key | join(', ') }},
        valid_from,
        valid_to,
        lead(valid_from) over (partition by {{ key | join(', ') }} order by valid_from) as next_from
    from {{ model }}

)

select * from versions
where valid_to < valid_from or (next_from is not null and valid_to is distinct from next_from)

{% endtest %}
