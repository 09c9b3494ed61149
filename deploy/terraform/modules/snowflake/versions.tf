terraform {
  required_providers {
    snowflake = {
      source = "snowflakedb/snowflake"
      # Three roles, for objects, for rights and for warehouses, so that none needs all privileges.
      configuration_aliases = [snowflake.objects, snowflake.security, snowflake.account]
    }
  }
}
