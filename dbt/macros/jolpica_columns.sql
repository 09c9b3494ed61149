{# The columns that the API's JSON has of a race, a result and a driver: of the present content in staging, and of
   earlier contents in the history. #}
{% macro race_columns() -%}
        {{ surrogate_key(["season", "payload:Circuit.circuitId", "payload:raceName"]) }} as event_key,
        season,
        cast(payload:round as int) as round,
        cast(payload:raceName as varchar) as event_name,
        cast(payload:Circuit.circuitId as varchar) as circuit_id,
        cast(payload:date as date) as race_date,
        cast(payload:time as varchar) as race_time
{%- endmacro %}

{% macro result_columns() -%}
        {{ surrogate_key(["season", "payload:Race.circuitId", "payload:Race.raceName"]) }} as event_key,
        season,
        entity as result_id,
        cast(payload:Driver.driverId as varchar) as driver_id,
        cast(payload:Constructor.constructorId as varchar) as constructor_id,
        cast(payload:number as varchar) as driver_number,
        cast(payload:grid as int) as grid_position,
        cast(payload:position as int) as position_order,
        cast(payload:positionText as varchar) as position_text,
        try_cast(cast(payload:positionText as varchar) as int) as position,
        cast(payload:points as decimal(6, 2)) as points,
        cast(payload:laps as int) as laps_completed,
        cast(payload:status as varchar) as status,
        cast(payload:Time.millis as int) as time_ms,
        cast(payload:Time.time as varchar) as time_text,
        cast(payload:FastestLap.lap as int) as fastest_lap_number,
        cast(payload:FastestLap.rank as int) as fastest_lap_rank,
        {{ milliseconds('cast(payload:FastestLap.Time.time as varchar)') }} as fastest_lap_ms
{%- endmacro %}

{% macro driver_columns() -%}
        season,
        cast(payload:driverId as varchar) as driver_id,
        cast(payload:code as varchar) as driver_code,
        cast(payload:permanentNumber as int) as permanent_number,
        cast(payload:givenName as varchar) as given_name,
        cast(payload:familyName as varchar) as family_name,
        cast(payload:dateOfBirth as date) as date_of_birth,
        cast(payload:nationality as varchar) as nationality,
        cast(payload:url as varchar) as wikipedia_url
{%- endmacro %}
