# No secrets here: the AWS provider reads its usual environment variables, Snowflake's reads SNOWFLAKE_USER,
# SNOWFLAKE_AUTHENTICATOR and SNOWFLAKE_PRIVATE_KEY.

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project     = "f1stream"
      Environment = var.name
    }
  }
}

provider "snowflake" {
  alias             = "objects"
  organization_name = var.snowflake_organization
  account_name      = var.snowflake_account
  role              = "SYSADMIN"
  # The provider's resource for internal stages is a preview.
  preview_features_enabled = ["snowflake_stage_internal_resource"]
}

provider "snowflake" {
  alias             = "security"
  organization_name = var.snowflake_organization
  account_name      = var.snowflake_account
  role              = "SECURITYADMIN"
}

provider "snowflake" {
  alias             = "account"
  organization_name = var.snowflake_organization
  account_name      = var.snowflake_account
  role              = "ACCOUNTADMIN"
}
