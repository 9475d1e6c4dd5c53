# How the functions reach Postgres: a security group of theirs that leads to the proxy and nowhere else, and a token that their
# role lets them make. There is no password, so none can be read anywhere.

resource "aws_security_group" "functions" {
  #checkov:skip=CKV2_AWS_5:It is attached to the functions, which another module makes
  name        = "${var.name}-functions"
  description = "Remuda's functions: to Postgres and nowhere else"
  vpc_id      = var.postgres.vpc_id

  tags = { Name = "${var.name}-functions" }
}

resource "aws_vpc_security_group_egress_rule" "to_postgres" {
  security_group_id            = aws_security_group.functions.id
  description                  = "Postgres"
  ip_protocol                  = "tcp"
  from_port                    = var.postgres.port
  to_port                      = var.postgres.port
  referenced_security_group_id = var.postgres.security_group_id
}

resource "aws_vpc_security_group_ingress_rule" "from_functions" {
  security_group_id            = var.postgres.security_group_id
  description                  = "Remuda's functions"
  ip_protocol                  = "tcp"
  from_port                    = var.postgres.port
  to_port                      = var.postgres.port
  referenced_security_group_id = aws_security_group.functions.id
}
