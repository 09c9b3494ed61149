{# A date and a time such as 13:00:00Z as a timestamp_ntz in UTC; null where either is null. #}
{% macro utc(date_column, time_column) -%}
    cast({{ date_column }} || ' ' || replace({{ time_column }}, 'Z', '') as timestamp_ntz)
{%- endmacro %}
