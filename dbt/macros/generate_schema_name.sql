{# Target prod has a schema per layer; the other targets have one schema for all layers. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if target.name == 'prod' and custom_schema_name -%} {{ custom_schema_name | trim | upper }}
    {%- else -%} {{ target.schema | trim | upper }}
    {%- endif -%}
{%- endmacro %}
