{# Production has a schema for each layer; a developer and a pull request have one schema for everything. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if target.name == 'prod' and custom_schema_name -%} {{ custom_schema_name | trim | upper }}
    {%- else -%} {{ target.schema | trim | upper }}
    {%- endif -%}
{%- endmacro %}
