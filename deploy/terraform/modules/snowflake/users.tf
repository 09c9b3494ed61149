# Users of the processes: of type SERVICE, so without passwords, with two keys each so that one can be rotated while the other is
# in use. The scheduler lands Jolpica's answers (LOADER) and builds the marts (TRANSFORMER). Its primary role owns what it creates;
# the other role's rights come from Snowflake's secondary roles.

locals {
  users = {
    for name, user in {
      ARCHIVE       = { key = var.public_keys.archive, next = var.public_keys.archive_next, roles = ["LOADER"] }
      SCHEDULE      = { key = var.public_keys.schedule, next = var.public_keys.schedule_next, roles = ["TRANSFORMER", "LOADER"] }
      PULL_REQUESTS = { key = var.pull_request_schemas ? var.public_keys.pull_requests : "", next = "", roles = ["TRANSFORMER"] }
      READER        = { key = var.public_keys.reader, next = "", roles = ["REPORTER"] }
    } : name => user if user.key != ""
  }

  memberships = merge([
    for name, user in local.users : { for role in user.roles : "${name} ${role}" => { user = name, role = role } }
  ]...)
}

resource "snowflake_service_user" "all" {
  provider                       = snowflake.security
  for_each                       = local.users
  name                           = "${var.prefix}F1STREAM_${each.key}"
  rsa_public_key                 = each.value.key
  rsa_public_key_2               = each.value.next != "" ? each.value.next : null
  default_role                   = snowflake_account_role.all[each.value.roles[0]].name
  default_secondary_roles_option = length(each.value.roles) > 1 ? "ALL" : "NONE"
  default_warehouse              = snowflake_warehouse.all[local.warehouse_of[each.value.roles[0]]].name
}

resource "snowflake_grant_account_role" "to_user" {
  provider  = snowflake.security
  for_each  = local.memberships
  role_name = snowflake_account_role.all[each.value.role].name
  user_name = snowflake_service_user.all[each.value.user].name
}
