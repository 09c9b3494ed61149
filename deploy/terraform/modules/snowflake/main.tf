# The same names as in f1stream/warehouse/ddl and dbt/, so that `f1stream warehouse init` finds these objects.

resource "snowflake_database" "f1stream" {
  provider                       = snowflake.objects
  name                           = var.database
  data_retention_time_in_days    = var.retention_days
  drop_public_schema_on_creation = true
  comment                        = "Formula 1 sessions: raw records, and the marts made of them."

  lifecycle {
    prevent_destroy = true
  }
}

locals {
  schemas = {
    RAW     = "Records as they came through Kafka and from Jolpica."
    OPS     = "What was asked for, and runs of jobs."
    STAGING = "dbt: one view for each source."
    SEEDS   = "dbt: small tables from files."
    MARTS   = "dbt: facts and dimensions, for readers."
    AUDIT   = "dbt: rows that failed tests."
    APPS    = "Streamlit."
  }
  built = ["STAGING", "SEEDS", "MARTS", "AUDIT"]

  warehouses = {
    LOADING      = "The archive workers."
    TRANSFORMING = "dbt and Jolpica's answers."
    REPORTING    = "Readers, and Streamlit."
  }
}

# With managed access an object's owner cannot grant rights on it.
resource "snowflake_schema" "all" {
  provider            = snowflake.objects
  for_each            = local.schemas
  database            = snowflake_database.f1stream.name
  name                = each.key
  with_managed_access = "true"
  comment             = each.value

  # If the database's name changed, the provider would replace these schemas by empty ones.
  lifecycle {
    prevent_destroy = true
  }
}

# Files to be loaded into a raw table; COPY purges them.
resource "snowflake_stage_internal" "loads" {
  provider = snowflake.objects
  database = snowflake_database.f1stream.name
  schema   = snowflake_schema.all["RAW"].name
  name     = "LOADS"
  comment  = "Files on their way into a table."
}

resource "snowflake_resource_monitor" "f1stream" {
  provider                  = snowflake.account
  name                      = "${var.prefix}F1STREAM"
  credit_quota              = var.monthly_credits
  frequency                 = "MONTHLY"
  start_timestamp           = "IMMEDIATELY"
  notify_triggers           = [80]
  suspend_trigger           = 100
  suspend_immediate_trigger = 110

  lifecycle {
    ignore_changes = [start_timestamp]
  }
}

# With the account's role: only this may set a warehouse's resource monitor.
resource "snowflake_warehouse" "all" {
  provider            = snowflake.account
  for_each            = local.warehouses
  name                = "${var.prefix}${each.key}"
  warehouse_size      = var.warehouse_size
  auto_suspend        = 60
  auto_resume         = "true"
  initially_suspended = true
  resource_monitor    = snowflake_resource_monitor.f1stream.name
  # Longer than dbt's longest statement; the archive sets 300 s for its own sessions.
  statement_timeout_in_seconds = 7200
  comment                      = each.value
}
