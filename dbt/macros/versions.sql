{# The versions of each key in the CTE ``contents``: valid from when a content was first received until the next one, or
   until it was last received if the API no longer has the key. The same content again, as in the lists of several
   seasons or after rounds have been renumbered, is no new version. #}
{% macro versions(columns, key) -%}
parsed as (

    select
        {{ columns }},
        content_hash,
        valid_from,
        last_seen_at,
        is_present
    from contents

),

distinct_times as (

    select * from parsed
    qualify
        row_number() over (
            partition by {{ key }}, valid_from
            order by is_present desc, season desc, last_seen_at desc, content_hash asc
        ) = 1

),

changes as (

    select
        *,
        max(iff(is_present, 1, 0)) over (partition by {{ key }}) = 1 as is_in_api,
        max(last_seen_at) over (partition by {{ key }}) as key_last_seen_at
    from distinct_times
    qualify
        lag(content_hash) over (partition by {{ key }} order by valid_from) is null
        or lag(content_hash) over (partition by {{ key }} order by valid_from) <> content_hash

),

versions as (

    select
        *,
        coalesce(
            lead(valid_from) over (partition by {{ key }} order by valid_from),
            iff(is_in_api, null, key_last_seen_at)
        ) as valid_to
    from changes

)
{%- endmacro %}
