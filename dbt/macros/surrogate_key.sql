{# A key of 32 characters from what identifies a row; null parts count, and ('a', 'bc') is not ('ab', 'c'). #}
{% macro surrogate_key(columns) -%}
    md5({% for column in columns -%}
        coalesce(cast({{ column }} as varchar), '(null)'){% if not loop.last %} || '|' || {% endif %}
    {%- endfor %})
{%- endmacro %}
