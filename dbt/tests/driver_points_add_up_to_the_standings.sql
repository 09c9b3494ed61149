{{ config(severity='warn', store_failures=true) }}

{{ points_add_up('driver') }}
