{# The md5 hash (32 characters) of the columns that identify a row. Nulls count, and ('a', 'bc') differs from
   ('ab', 'c'). #}
{% macro surrogate_key(columns) -%}
    md5({% for column in columns -%}
        coalesce(cast({{ column }} as varchar), '(null)'){% if not loop.last %} || '|' || {% endif %}
    {%- endfor %})
{%- endmacro %}
