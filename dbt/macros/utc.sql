{# A date and a time such as 13:00:00Z as a timestamp_ntz in UTC; null where either is null. #}
{% macro utc(date_column, time_column) -%}
    to_timestamp_ntz(
        to_char({{ date_column }}, 'YYYY-MM-DD') || ' ' || replace({{ time_column }}, 'Z', ''), 'YYYY-MM-DD HH24:MI:SS'
    )
{%- endmacro %}
