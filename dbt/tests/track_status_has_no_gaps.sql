-- Our rule: an interval begins where the previous one ends.
select track_status_key
from {{ ref('fact_track_status') }}
qualify begins_ms <> lag(ends_ms, 1, begins_ms) over (partition by session_key order by begins_ms, ends_ms)
