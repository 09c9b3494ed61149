{#
    Fails for values that the table they refer to does not have; null refers to nothing. ``to`` has that table by
    column, and its key has the column's name. One query for all where dbt's relationships is one for each column, as
    each node of a build costs CPU beside its query.
#}
{% test foreign_keys(model, to) %}

{% for column_name, parent in to.items() -%}
select '{{ column_name }}' as column_name, child.{{ column_name }} as key_value
from {{ model }} as child
left join {{ parent }} as parent on child.{{ column_name }} = parent.{{ column_name }}
where child.{{ column_name }} is not null and parent.{{ column_name }} is null
{% if not loop.last %}union all{% endif %}
{% endfor %}

{% endtest %}
