output "store" {
  description = "The setting REMUDA_STORE. There is no password in it: the functions sign a token instead."
  value       = "postgres://${var.postgres.user}@${var.postgres.host}:${var.postgres.port}/${var.postgres.database}?sslmode=verify-full&auth=iam"
}

output "network" {
  description = "The subnets and the security group that the functions run in."
  value = {
    subnet_ids         = var.postgres.subnet_ids
    security_group_ids = [aws_security_group.functions.id]
  }
}

output "statements" {
  description = "What each function may do with the database."
  value = [
    {
      sid       = "ConnectToPostgres"
      why       = "A token for this one user of this one proxy; what the user may do is the database's matter."
      actions   = ["rds-db:connect"]
      resources = ["arn:${var.place.partition}:rds-db:${var.place.region}:${var.place.account}:dbuser:${var.postgres.resource_id}/${var.postgres.user}"]
    },
  ]
}
