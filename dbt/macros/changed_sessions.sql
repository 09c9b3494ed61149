{# Marts of telemetry are incremental by session: `changed_samples` gives them the samples of sessions whose chosen run,
   its number of rows or the version of the rules has changed since they were built, and `delete_unchosen_runs` is their
   post-hook. #}

{# `condition`, on `runs`, leaves out sessions that give the mart no rows: they would be read again in each build. #}
{% macro changed_sessions(condition) -%}
    select
        runs.session_key,
        runs.session_date
    from {{ ref('stg_stream__runs') }} as runs
    where
        runs.is_chosen
        and runs.telemetry_rows > 0
        and {{ condition }}
    {%- if is_incremental() %}
        and not exists (
            select built.session_key
            from {{ this }} as built
            where built.session_key = runs.session_key and built.run_state = runs.run_state
        )
    {%- endif %}
{%- endmacro %}

{# The dates are literals, because Snowflake prunes no micro-partitions by the result of a subquery. #}
{% macro changed_samples(condition) -%}
    select telemetry.*
    from {{ ref('stg_stream__telemetry') }} as telemetry
    inner join (
        {{ changed_sessions(condition) }}
    ) as changed on telemetry.session_key = changed.session_key
    {%- if is_incremental() and execute %}
    {%- set changed = run_query('select distinct session_date from (' ~ changed_sessions(condition) ~ ') as changed') %}
    where telemetry.session_date in (null{% for row in changed %}, cast('{{ row[0] }}' as date){% endfor %})
    {%- endif %}
{%- endmacro %}

{# Rows of deleted sessions and of runs that are no longer chosen. After the insert, so that readers never miss a
   session that is built again. #}
{% macro delete_unchosen_runs() -%}
    delete from {{ this }}
    where (session_key, run_state) not in (
        select
            session_key,
            run_state
        from {{ ref('stg_stream__runs') }}
        where is_chosen
    )
{%- endmacro %}
