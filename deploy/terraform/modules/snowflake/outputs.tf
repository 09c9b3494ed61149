output "logins" {
  description = "User, role and warehouse of each process, as named in the settings."
  value = {
    for name, user in snowflake_service_user.all : lower(name) => {
      user      = user.name
      role      = user.default_role
      warehouse = user.default_warehouse
    }
  }
}
