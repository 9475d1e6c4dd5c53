# RDS Proxy: many functions, few connections. It asks callers for an IAM token over TLS, and the database for nothing but what RDS
# keeps in its own secret.

locals {
  # As long as a function may wait for a connection and still answer in time.
  borrow_timeout_seconds = 3
  # The rest is for people.
  connections_percent_max = 90
}

resource "aws_db_proxy" "this" {
  name                = var.name
  engine_family       = "POSTGRESQL"
  require_tls         = true
  idle_client_timeout = 900
  role_arn            = aws_iam_role.proxy.arn

  vpc_subnet_ids         = values(aws_subnet.private)[*].id
  vpc_security_group_ids = [aws_security_group.proxy.id]

  auth {
    auth_scheme = "SECRETS"
    iam_auth    = "REQUIRED"
    secret_arn  = aws_db_instance.this.master_user_secret[0].secret_arn
  }

  depends_on = [aws_iam_role_policy.proxy]
}

resource "aws_db_proxy_default_target_group" "this" {
  db_proxy_name = aws_db_proxy.this.name

  connection_pool_config {
    connection_borrow_timeout = local.borrow_timeout_seconds
    max_connections_percent   = local.connections_percent_max
  }
}

resource "aws_db_proxy_target" "this" {
  db_proxy_name          = aws_db_proxy.this.name
  target_group_name      = aws_db_proxy_default_target_group.this.name
  db_instance_identifier = aws_db_instance.this.identifier
}

data "aws_caller_identity" "this" {}

resource "aws_iam_role" "proxy" {
  name        = "${var.name}-proxy"
  description = "What the RDS Proxy ${var.name} may do"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "ProxyRunsAsThisRole"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "rds.amazonaws.com" }
      # Another account's proxy cannot borrow it.
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "proxy" {
  name = "work"
  role = aws_iam_role.proxy.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # The one secret, which RDS made for the master user. The key is the account's own for secrets, which lets in whoever may
      # read the secret.
      {
        Sid      = "ReadMasterSecret"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = [aws_db_instance.this.master_user_secret[0].secret_arn]
      },
    ]
  })
}
