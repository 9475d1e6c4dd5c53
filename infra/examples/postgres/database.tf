# The database. Its master password is RDS' own secret, which RDS turns over and only the proxy reads.

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = values(aws_subnet.private)[*].id
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name}-"
  family      = "postgres${var.database.version}"
  description = "Remuda: TLS or nothing, and slow statements in the log"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  # Changes of the schema, and what takes longer than a second. The limits of sessions are set for the role by `migrate`.
  parameter {
    name  = "log_statement"
    value = "ddl"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_118:RDS tells processor, storage and connections each minute anyway, which is what the alarms read; finer readings are paid for
  #checkov:skip=CKV_AWS_133:Backups are on: database.backup_days is 14 by default and at least 1 by its validation
  #checkov:skip=CKV_AWS_157:A second instance standing by is a setting (database.multi_az), because it doubles the price
  #checkov:skip=CKV_AWS_354:Performance Insights are encrypted with a key of AWS, as everything here is
  identifier = var.name
  db_name    = "remuda"
  username   = "remuda"

  engine               = "postgres"
  engine_version       = var.database.version
  instance_class       = var.database.class
  parameter_group_name = aws_db_parameter_group.this.name
  multi_az             = var.database.multi_az

  storage_type          = "gp3"
  allocated_storage     = var.database.storage_gb
  max_allocated_storage = var.database.storage_gb_max
  storage_encrypted     = true

  # No password passes through Terraform, so none is in its state.
  manage_master_user_password         = true
  iam_database_authentication_enabled = true

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.database.id]
  publicly_accessible    = false

  # Kept so long, each second can be gone back to.
  backup_retention_period = var.database.backup_days
  copy_tags_to_snapshot   = true
  deletion_protection     = var.deletion_protection
  skip_final_snapshot     = !var.deletion_protection

  final_snapshot_identifier = "${var.name}-last"

  auto_minor_version_upgrade      = true
  performance_insights_enabled    = true
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
}
