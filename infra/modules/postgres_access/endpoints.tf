# Interface endpoints, for who wants any: the functions themselves call no AWS API on Postgres.

locals {
  https = 443
}

resource "aws_security_group" "endpoints" {
  #checkov:skip=CKV2_AWS_5:It is attached to the endpoints below
  count = length(var.postgres.endpoints) > 0 ? 1 : 0

  name        = "${var.name}-endpoints"
  description = "Interface endpoints for Remuda's functions"
  vpc_id      = var.postgres.vpc_id

  tags = { Name = "${var.name}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count = length(var.postgres.endpoints) > 0 ? 1 : 0

  security_group_id            = aws_security_group.endpoints[0].id
  description                  = "Remuda's functions"
  ip_protocol                  = "tcp"
  from_port                    = local.https
  to_port                      = local.https
  referenced_security_group_id = aws_security_group.functions.id
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  count = length(var.postgres.endpoints) > 0 ? 1 : 0

  security_group_id            = aws_security_group.functions.id
  description                  = "Interface endpoints"
  ip_protocol                  = "tcp"
  from_port                    = local.https
  to_port                      = local.https
  referenced_security_group_id = aws_security_group.endpoints[0].id
}

resource "aws_vpc_endpoint" "this" {
  for_each = var.postgres.endpoints

  vpc_id              = var.postgres.vpc_id
  service_name        = "com.amazonaws.${var.place.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = var.postgres.subnet_ids
  security_group_ids  = [aws_security_group.endpoints[0].id]

  tags = { Name = "${var.name}-${each.key}" }
}
