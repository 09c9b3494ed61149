{# A date and a time such as 13:00:00Z as a timestamp_ntz in UTC; null where either is null, or the time has another form:
   one value must not fail the build. #}
{% macro utc(date_column, time_column) -%}
    try_to_timestamp_ntz(
        to_char({{ date_column }}, 'YYYY-MM-DD') || ' ' || replace({{ time_column }}, 'Z', ''), 'YYYY-MM-DD HH24:MI:SS'
    )
{%- endmacro %}
