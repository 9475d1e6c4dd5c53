# What is made for DynamoDB and SQS.

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
  store   = "sqs"
  package = "tests/package/sqs"
}

run "each_function_may_do_what_it_does" {
  command = plan

  assert {
    condition     = length(local.statements) == 6
    error_message = "There are six functions: ${join(", ", keys(local.statements))}"
  }

  assert {
    condition = alltrue(flatten([
      for function, statements in local.statements : [
        for statement in statements : [for it in concat(statement.actions, statement.resources) : !strcontains(it, "*")]
      ]
    ]))
    error_message = "A statement beyond logs and traces names a *: ${jsonencode(local.statements)}"
  }

  assert {
    condition = alltrue([
      for function, access in local.table_access : contains(access.actions, "dynamodb:DeleteItem") == contains(["control", "dispatch", "timeout-sweep"], function)
    ])
    error_message = "Only operators and the sweep remove anything."
  }

  assert {
    condition     = !strcontains(jsonencode(local.statements), "dynamodb:Scan")
    error_message = "No function scans."
  }

  assert {
    condition = alltrue([
      for function, statements in local.statements :
      contains(statements[*].sid, "TakeHints") == (function == "dispatch") && contains(statements[*].sid, "SendHints") == (function != "migrate")
    ])
    error_message = "Dispatch takes hints; all but migrate send them."
  }
}

run "names_are_derived_and_nothing_is_secret" {
  command = apply

  assert {
    condition     = output.table == "remuda"
    error_message = "The table is called ${output.table}."
  }

  assert {
    condition     = local.environment.REMUDA_STORE == "sqs://remuda?queue=${urlencode(output.queue)}"
    error_message = "REMUDA_STORE is ${local.environment.REMUDA_STORE}"
  }

  assert {
    condition     = local.environment.REMUDA_METRICS == var.name && local.environment.SSL_CERT_FILE == "/etc/pki/tls/certs/ca-bundle.crt"
    error_message = jsonencode(local.environment)
  }

  assert {
    condition     = length(regexall("(?i)password|secret|token|rk_", jsonencode(local.environment))) == 0
    error_message = "There is a secret in the environment: ${jsonencode(local.environment)}"
  }

  assert {
    condition = length(regexall("(?i)password|secret|token|rk_[0-9a-z]", jsonencode([
      output.url, output.migrate_command, output.state_command, output.first_key_command, output.store, output.table, output.queue,
      output.dead_letter_queue, output.functions, output.alarms, output.alarm_topic, output.dashboard_url, output.domain_target,
    ]))) == 0
    error_message = "There is a secret in an output."
  }

  assert {
    condition     = strcontains(output.first_key_command, "--function-name ${output.functions["migrate"]}") && strcontains(output.first_key_command, "\"scopes\":[\"admin\"]")
    error_message = output.first_key_command
  }

  assert {
    condition     = alltrue([for name, function in output.functions : function == "remuda-${name}"])
    error_message = jsonencode(output.functions)
  }
}

run "what_must_be_heard_has_an_alarm" {
  command = plan

  module {
    source = "./modules/alarms"
  }

  variables {
    name               = "here"
    region             = "eu-central-1"
    functions          = { submit = "here-submit", control = "here-control" }
    api_id             = "api"
    dead_letter_queues = { hints = "here-hints-dead", dispatch = "here-dispatch-dead" }
    table              = "here"
    indexes            = ["ready"]
    topic_arn          = "arn:aws:sns:eu-central-1:123456789012:wake-me"
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
    condition = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset([
      "oldest-ready", "dead-letters", "leases-lost", "sweep-not-run", "submit-errors", "submit-throttles", "control-errors",
      "control-throttles", "hints-dead", "dispatch-dead", "api-server-errors", "table-read-throttles", "table-write-throttles",
      "index-ready-write-throttles",
    ])
    error_message = join(", ", keys(aws_cloudwatch_metric_alarm.this))
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["sweep-not-run"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.this["sweep-not-run"].comparison_operator == "LessThanThreshold"
    error_message = "A sweep that says nothing is one that did not run."
  }

  assert {
    condition     = alltrue([for name, alarm in aws_cloudwatch_metric_alarm.this : (alarm.treat_missing_data == "notBreaching") == (name != "sweep-not-run")])
    error_message = "Elsewhere no news is good news."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : contains(alarm.alarm_actions, var.topic_arn)])
    error_message = "Each alarm tells the topic."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["oldest-ready"].dimensions == tomap({ Deployment = "here" }) && aws_cloudwatch_metric_alarm.this["oldest-ready"].namespace == "Remuda"
    error_message = "Metrics are the deployment's own."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["index-ready-write-throttles"].dimensions == tomap({ TableName = "here", GlobalSecondaryIndexName = "ready" })
    error_message = jsonencode(aws_cloudwatch_metric_alarm.this["index-ready-write-throttles"].dimensions)
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 12
    error_message = aws_cloudwatch_dashboard.this.dashboard_body
  }
}
