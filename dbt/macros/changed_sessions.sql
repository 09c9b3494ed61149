{# Incremental models are rebuilt session by session: those whose chosen run, or its number of rows, is not the one
   they were built from. Nothing else is read. #}
{% macro changed_sessions() -%}
    select runs.session_key
    from {{ ref('stg_stream__runs') }} as runs
    where
        runs.is_chosen
    {%- if is_incremental() %}
        and not exists (
            select built.session_key
            from {{ this }} as built
            where built.session_key = runs.session_key and built.run_state = runs.run_state
        )
    {%- endif %}
{%- endmacro %}
