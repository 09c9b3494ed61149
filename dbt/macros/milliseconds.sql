{# '1:23.456', '1:02:03.456' or '23.456' as whole milliseconds; null for null. #}
{% macro milliseconds(column) -%}
    cast(round(
        1000 * (
            cast(split_part({{ column }}, ':', -1) as decimal(9, 3))
            + 60 * coalesce(try_cast(nullif(split_part({{ column }}, ':', -2), '') as int), 0)
            + 3600 * coalesce(try_cast(nullif(split_part({{ column }}, ':', -3), '') as int), 0)
        )
    ) as int)
{%- endmacro %}
