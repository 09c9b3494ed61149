-- Our rule: the marts use exactly one run of each session.
select
    session_key,
    count_if(is_chosen) as chosen
from {{ ref('stg_stream__runs') }}
group by session_key
having count_if(is_chosen) <> 1
