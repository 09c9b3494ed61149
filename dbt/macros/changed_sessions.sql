{# Incremental models are rebuilt by session: only sessions whose chosen run, or its number of rows, has changed since
   they were built. No other session is read. #}
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
