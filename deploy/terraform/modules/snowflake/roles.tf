# LOADER writes raw rows, TRANSFORMER reads them and builds the marts, REPORTER reads the marts. None of them may
# create or alter a raw table: `f1stream warehouse init` does, run by SYSADMIN, which also owns all three.

resource "snowflake_account_role" "all" {
  provider = snowflake.security
  for_each = {
    LOADER      = "Loads RAW and notes runs in OPS."
    TRANSFORMER = "Builds STAGING, SEEDS, MARTS and AUDIT."
    REPORTER    = "Reads MARTS."
  }
  name    = "${var.prefix}${each.key}"
  comment = each.value
}

resource "snowflake_grant_account_role" "to_sysadmin" {
  provider         = snowflake.security
  for_each         = snowflake_account_role.all
  role_name        = each.value.name
  parent_role_name = "SYSADMIN"
}

locals {
  warehouse_of = { LOADER = "LOADING", TRANSFORMER = "TRANSFORMING", REPORTER = "REPORTING" }

  schema_rights = merge(
    { for name in ["RAW", "OPS"] : "LOADER ${name}" => { role = "LOADER", schema = name, privileges = ["USAGE"] } },
    { "TRANSFORMER RAW" = { role = "TRANSFORMER", schema = "RAW", privileges = ["USAGE"] } },
    {
      for name in local.built :
      "TRANSFORMER ${name}" => { role = "TRANSFORMER", schema = name, privileges = ["USAGE", "CREATE TABLE", "CREATE VIEW"] }
    },
    {
      "REPORTER MARTS" = { role = "REPORTER", schema = "MARTS", privileges = ["USAGE"] }
      "REPORTER APPS"  = { role = "REPORTER", schema = "APPS", privileges = ["USAGE", "CREATE STREAMLIT", "CREATE STAGE"] }
    },
  )

  # On existing and future tables: `f1stream warehouse init` and dbt create them.
  table_rights = {
    "LOADER RAW"      = { role = "LOADER", schema = "RAW", kind = "TABLES", privileges = ["SELECT", "INSERT", "UPDATE", "DELETE"] }
    "LOADER OPS"      = { role = "LOADER", schema = "OPS", kind = "TABLES", privileges = ["SELECT", "INSERT", "UPDATE", "DELETE"] }
    "TRANSFORMER RAW" = { role = "TRANSFORMER", schema = "RAW", kind = "TABLES", privileges = ["SELECT"] }
    "REPORTER tables" = { role = "REPORTER", schema = "MARTS", kind = "TABLES", privileges = ["SELECT"] }
    "REPORTER views"  = { role = "REPORTER", schema = "MARTS", kind = "VIEWS", privileges = ["SELECT"] }
  }
}

resource "snowflake_grant_privileges_to_account_role" "warehouse" {
  provider          = snowflake.security
  for_each          = local.warehouse_of
  account_role_name = snowflake_account_role.all[each.key].name
  privileges        = ["USAGE"]
  on_account_object {
    object_type = "WAREHOUSE"
    object_name = snowflake_warehouse.all[each.value].name
  }
}

resource "snowflake_grant_privileges_to_account_role" "database" {
  provider          = snowflake.security
  for_each          = snowflake_account_role.all
  account_role_name = each.value.name
  privileges        = each.key == "TRANSFORMER" && var.pull_request_schemas ? ["USAGE", "CREATE SCHEMA"] : ["USAGE"]
  on_account_object {
    object_type = "DATABASE"
    object_name = snowflake_database.f1stream.name
  }
}

resource "snowflake_grant_privileges_to_account_role" "schema" {
  provider          = snowflake.security
  for_each          = local.schema_rights
  account_role_name = snowflake_account_role.all[each.value.role].name
  privileges        = each.value.privileges
  on_schema {
    schema_name = snowflake_schema.all[each.value.schema].fully_qualified_name
  }
}

resource "snowflake_grant_privileges_to_account_role" "present" {
  provider          = snowflake.security
  for_each          = local.table_rights
  account_role_name = snowflake_account_role.all[each.value.role].name
  privileges        = each.value.privileges
  on_schema_object {
    all {
      object_type_plural = each.value.kind
      in_schema          = snowflake_schema.all[each.value.schema].fully_qualified_name
    }
  }
}

resource "snowflake_grant_privileges_to_account_role" "future" {
  provider          = snowflake.security
  for_each          = local.table_rights
  account_role_name = snowflake_account_role.all[each.value.role].name
  privileges        = each.value.privileges
  on_schema_object {
    future {
      object_type_plural = each.value.kind
      in_schema          = snowflake_schema.all[each.value.schema].fully_qualified_name
    }
  }
}

resource "snowflake_grant_privileges_to_account_role" "stage" {
  provider          = snowflake.security
  account_role_name = snowflake_account_role.all["LOADER"].name
  privileges        = ["READ", "WRITE"]
  on_schema_object {
    object_type = "STAGE"
    object_name = snowflake_stage_internal.loads.fully_qualified_name
  }
}
