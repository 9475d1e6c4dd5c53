# What is made for Postgres.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }
}

variables {
  store   = "postgres"
  package = "tests/package/postgres"
  postgres = {
    host              = "proxy.example"
    database          = "jobs"
    user              = "remuda"
    resource_id       = "prx-0123"
    vpc_id            = "vpc-1"
    subnet_ids        = ["subnet-1", "subnet-2"]
    security_group_id = "sg-proxy"
    instance_id       = "remuda"
  }
}

run "a_token_is_all_that_opens_the_database" {
  command = plan

  assert {
    condition     = local.environment.REMUDA_STORE == "postgres://remuda@proxy.example:5432/jobs?sslmode=verify-full&auth=iam"
    error_message = "REMUDA_STORE is ${local.environment.REMUDA_STORE}"
  }

  assert {
    condition = alltrue([
      for function, statements in local.statements :
      statements[*].actions == [["rds-db:connect"]] && statements[*].resources == [["arn:aws:rds-db:eu-central-1:123456789012:dbuser:prx-0123/remuda"]]
    ])
    error_message = jsonencode(local.statements)
  }

  assert {
    condition     = output.table == null && output.queue == null && length(module.table) == 0 && length(module.hints) == 0
    error_message = "There is a table or a queue beside Postgres."
  }

  assert {
    condition     = length(regexall("(?i)password|secret", jsonencode([local.environment, output.store]))) == 0
    error_message = "There is a secret in the environment or in an output."
  }
}

run "functions_lead_to_the_proxy_and_nowhere_else" {
  command = plan

  module {
    source = "./modules/postgres_access"
  }

  variables {
    name  = "here"
    place = { partition = "aws", region = "eu-central-1", account = "123456789012" }
    postgres = {
      host              = "proxy.example"
      port              = 5433
      database          = "jobs"
      user              = "remuda"
      resource_id       = "prx-0123"
      vpc_id            = "vpc-1"
      subnet_ids        = ["subnet-1", "subnet-2"]
      security_group_id = "sg-proxy"
      endpoints         = []
    }
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.to_postgres.referenced_security_group_id == "sg-proxy" && aws_vpc_security_group_egress_rule.to_postgres.from_port == 5433
    error_message = "The functions lead elsewhere."
  }

  assert {
    condition     = length(aws_vpc_endpoint.this) == 0 && length(aws_vpc_security_group_egress_rule.endpoints) == 0
    error_message = "There are endpoints that nobody asked for."
  }
}

run "endpoints_are_made_when_asked_for" {
  command = plan

  module {
    source = "./modules/postgres_access"
  }

  variables {
    name  = "here"
    place = { partition = "aws", region = "eu-central-1", account = "123456789012" }
    postgres = {
      host              = "proxy.example"
      port              = 5432
      database          = "jobs"
      user              = "remuda"
      resource_id       = "prx-0123"
      vpc_id            = "vpc-1"
      subnet_ids        = ["subnet-1", "subnet-2"]
      security_group_id = "sg-proxy"
      endpoints         = ["xray"]
    }
  }

  assert {
    condition     = aws_vpc_endpoint.this["xray"].service_name == "com.amazonaws.eu-central-1.xray" && aws_vpc_endpoint.this["xray"].private_dns_enabled
    error_message = "The endpoint is another."
  }
}

run "the_database_is_watched" {
  command = plan

  module {
    source = "./modules/alarms"
  }

  variables {
    name               = "here"
    region             = "eu-central-1"
    functions          = {}
    api_id             = "api"
    dead_letter_queues = {}
    database           = "remuda"
    thresholds = {
      oldest_ready_seconds    = 300
      dead_letters            = 1
      leases_lost             = 5
      server_errors           = 5
      database_cpu_percent    = 80
      database_free_gigabytes = 5
      database_connections    = 80
    }
  }

  assert {
    condition     = length([for name in keys(aws_cloudwatch_metric_alarm.this) : name if startswith(name, "database-")]) == 3 && length([for name in keys(aws_cloudwatch_metric_alarm.this) : name if startswith(name, "table-")]) == 0
    error_message = join(", ", keys(aws_cloudwatch_metric_alarm.this))
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["database-storage"].threshold == 5368709120 && aws_cloudwatch_metric_alarm.this["database-storage"].comparison_operator == "LessThanThreshold"
    error_message = "Free storage is in bytes."
  }
}
