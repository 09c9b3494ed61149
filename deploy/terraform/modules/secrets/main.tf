# The environment's key, and its secrets without values, so that Terraform's state has none. Set the values with
# `aws secretsmanager put-secret-value`.

data "aws_caller_identity" "me" {}

data "aws_region" "here" {}

resource "aws_kms_key" "this" {
  description             = "${var.name}: secrets, logs, images and the scheduler's files."
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TheAccountsOwnRolesDecide"
        Effect    = "Allow"
        Action    = "kms:*"
        Resource  = "*"
        Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.me.account_id}:root" }
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Action    = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
        Resource  = "*"
        Principal = { Service = "logs.${data.aws_region.here.region}.amazonaws.com" }
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:${data.aws_region.here.region}:${data.aws_caller_identity.me.account_id}:log-group:/${var.name}/*"
          }
        }
      },
    ]
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57: they belong to Kafka, Snowflake and F1TV, which AWS cannot rotate; README says how it is done
  for_each    = var.secrets
  name        = "${var.name}/${each.key}"
  description = each.value
  kms_key_id  = aws_kms_key.this.arn
}
