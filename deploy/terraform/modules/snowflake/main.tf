# The same names as f1stream/warehouse/ddl and dbt/ have: nothing here is made twice, `f1stream warehouse init` finds it.

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
    RAW       = "Records as they came through Kafka and from Jolpica."
    OPS       = "What was asked for, and runs of jobs."
    STAGING   = "dbt: one view for each source."
    SEEDS     = "dbt: small tables from files."
    SNAPSHOTS = "dbt: what upstream said over time."
    MARTS     = "dbt: facts and dimensions, for readers."
    APPS      = "Streamlit."
  }
  built = ["STAGING", "SEEDS", "SNAPSHOTS", "MARTS"]

  warehouses = {
    LOADING      = "The archive workers."
    TRANSFORMING = "dbt and Jolpica's answers."
    REPORTING    = "Readers, and Streamlit."
  }
}

# In a schema with managed access an object's owner cannot give rights away.
resource "snowflake_schema" "all" {
  provider            = snowflake.objects
  for_each            = local.schemas
  database            = snowflake_database.f1stream.name
  name                = each.key
  with_managed_access = "true"
  comment             = each.value

  # With another database's name the provider would make new, empty schemas in the place of these.
  lifecycle {
    prevent_destroy = true
  }
}

# Files on their way into a raw table; COPY purges them.
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

# With the account's role, as only it may set a warehouse's monitor.
resource "snowflake_warehouse" "all" {
  provider            = snowflake.account
  for_each            = local.warehouses
  name                = "${var.prefix}${each.key}"
  warehouse_size      = var.warehouse_size
  auto_suspend        = 60
  auto_resume         = "true"
  initially_suspended = true
  resource_monitor    = snowflake_resource_monitor.f1stream.name
  # Longer than the longest statement of dbt; the archive sets its own of 300 s for its sessions.
  statement_timeout_in_seconds = 7200
  comment                      = each.value
}
