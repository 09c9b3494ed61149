{# Fails for null and duplicate keys. One query where dbt's not_null and unique are two. #}
{% test primary_key(model, column_name) %}

select
    {{ column_name }} as key_value,
    count(*) as n_records
from {{ model }}
group by {{ column_name }}
having {{ column_name }} is null or count(*) > 1

{% endtest %}
