{# The md5 hash (32 characters) of the columns that identify a row. Nulls count, and ('a', 'bc') differs from
   ('ab', 'c'). Dates and times come as text with a format: Snowflake's cast has the session's output format. #}
{% macro surrogate_key(columns) -%}
    md5({% for column in columns -%}
        coalesce(cast({{ column }} as varchar), '(null)'){% if not loop.last %} || '|' || {% endif %}
    {%- endfor %})
{%- endmacro %}
