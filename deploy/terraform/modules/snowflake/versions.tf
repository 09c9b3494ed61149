terraform {
  required_providers {
    snowflake = {
      source = "snowflakedb/snowflake"
      # Objects, rights and what costs money are made with three roles, so that none of them needs all.
      configuration_aliases = [snowflake.objects, snowflake.security, snowflake.account]
    }
  }
}
