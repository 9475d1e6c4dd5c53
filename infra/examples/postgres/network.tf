# A VPC that leads nowhere: no internet gateway, no NAT. API Gateway and EventBridge reach the functions through Lambda, and the
# functions reach the proxy.

locals {
  # Named and not asked for: a zone that AWS adds must not move a subnet.
  zones    = [for letter in var.network.zones : "${var.region}${letter}"]
  new_bits = 4
  port     = 5432
}

resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11:Nothing leads into this VPC or out of it, and inside there are the functions, the proxy and the database: their logs tell more
  cidr_block           = var.network.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

# The default group is nobody's: what is put into it by mistake reaches nothing.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "private" {
  for_each = { for place, zone in local.zones : zone => place }

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.network.cidr, local.new_bits, each.value)

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_security_group" "proxy" {
  #checkov:skip=CKV2_AWS_5:It is attached to the proxy, in proxy.tf
  name        = "${var.name}-proxy"
  description = "RDS Proxy: from the functions, to the database"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-proxy" }
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "The database: from the proxy, to nowhere"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-database" }
}

resource "aws_vpc_security_group_egress_rule" "proxy_to_database" {
  security_group_id            = aws_security_group.proxy.id
  description                  = "The database"
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
  referenced_security_group_id = aws_security_group.database.id
}

resource "aws_vpc_security_group_ingress_rule" "database_from_proxy" {
  security_group_id            = aws_security_group.database.id
  description                  = "The proxy"
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
  referenced_security_group_id = aws_security_group.proxy.id
}
