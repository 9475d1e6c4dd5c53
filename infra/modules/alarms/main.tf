# What an operator must hear. Each row is an alarm; a row is left out where what it watches is not there.

locals {
  # How many seconds one reading covers, and of how many readings the last few have to be bad.
  minute       = 60
  five_minutes = 300

  gigabyte = pow(1024, 3)

  # Printed by the functions in embedded metric format.
  own            = "Remuda"
  own_dimensions = { Deployment = var.name }

  remuda_alarms = {
    oldest-ready = {
      description = "A ready job has been waiting for too long: no robot that can run it, or none with room. Ask `remuda jobs explain`."
      metric      = "OldestReadySeconds"
      statistic   = "Maximum"
      period      = local.minute
      readings    = 5
      at          = var.thresholds.oldest_ready_seconds
      missing     = "notBreaching"
    }
    dead-letters = {
      description = "Jobs failed or timed out for good, and wait for somebody: `remuda dead-letters list`."
      metric      = "DeadLetters"
      statistic   = "Sum"
      period      = local.five_minutes
      readings    = 1
      at          = var.thresholds.dead_letters
      missing     = "notBreaching"
    }
    leases-lost = {
      description = "Robots fell silent in the middle of jobs. Look at the robots: `remuda robots list`."
      metric      = "LeasesLost"
      statistic   = "Sum"
      period      = local.five_minutes
      readings    = 1
      at          = var.thresholds.leases_lost
      missing     = "notBreaching"
    }
  }

  # No news is bad news here, so what is missing is an alarm. No timer fires while it does not run.
  sweep_alarms = {
    sweep-not-run = {
      description = "The sweep has not finished for five minutes: no lease ends, no retry and no delayed job starts."
      metric      = "SweepRuns"
      statistic   = "Sum"
      period      = local.five_minutes
      readings    = 1
      at          = 1
      comparison  = "LessThanThreshold"
      missing     = "breaching"
    }
  }

  function_alarms = merge([
    for function, name in var.functions : {
      "${function}-errors" = {
        description = "The function ${function} failed or was cut off. Its log tells why."
        namespace   = "AWS/Lambda"
        dimensions  = { FunctionName = name }
        metric      = "Errors"
        statistic   = "Sum"
        period      = local.five_minutes
        readings    = 1
        at          = 1
        missing     = "notBreaching"
      }
      "${function}-throttles" = {
        description = "The function ${function} could not be run: the account's concurrency, or its own, is used up."
        namespace   = "AWS/Lambda"
        dimensions  = { FunctionName = name }
        metric      = "Throttles"
        statistic   = "Sum"
        period      = local.five_minutes
        readings    = 1
        at          = 1
        missing     = "notBreaching"
      }
    }
  ]...)

  queue_alarms = {
    for what, name in var.dead_letter_queues : "${what}-dead" => {
      description = "Something lies in ${name}, which takes what could not be handled."
      namespace   = "AWS/SQS"
      dimensions  = { QueueName = name }
      metric      = "ApproximateNumberOfMessagesVisible"
      statistic   = "Maximum"
      period      = local.five_minutes
      readings    = 1
      at          = 1
      missing     = "notBreaching"
    }
  }

  api_alarms = {
    api-server-errors = {
      description = "Callers are answered with 5xx: the store is out of reach, or a function fails."
      namespace   = "AWS/ApiGateway"
      dimensions  = { ApiId = var.api_id }
      metric      = "5xx"
      statistic   = "Sum"
      period      = local.five_minutes
      readings    = 1
      at          = var.thresholds.server_errors
      missing     = "notBreaching"
    }
  }

  # An index that is short of room holds up the writes of the table, and tells so under its own name.
  throttles = merge(
    {
      table-read  = { metric = "ReadThrottleEvents", of = "reads of the table", dimensions = {} }
      table-write = { metric = "WriteThrottleEvents", of = "writes of the table", dimensions = {} }
    },
    {
      for index in var.indexes : "index-${index}-write" => {
        metric     = "WriteThrottleEvents"
        of         = "writes of the index ${index}"
        dimensions = { GlobalSecondaryIndexName = index }
      }
    },
  )
  table_alarms = {
    for what, it in local.throttles : "${what}-throttles" => {
      description = "DynamoDB turned ${it.of} away: one partition, or the account's limit, is at its end."
      namespace   = "AWS/DynamoDB"
      dimensions  = merge({ TableName = coalesce(var.table, "none") }, it.dimensions)
      metric      = it.metric
      statistic   = "Sum"
      period      = local.five_minutes
      readings    = 1
      at          = 1
      missing     = "notBreaching"
    }
  }

  database_alarms = {
    for what, it in {
      cpu = {
        description = "The database's processor is busy."
        metric      = "CPUUtilization"
        at          = var.thresholds.database_cpu_percent
      }
      storage = {
        description = "The database is running out of storage."
        metric      = "FreeStorageSpace"
        at          = var.thresholds.database_free_gigabytes * local.gigabyte
        comparison  = "LessThanThreshold"
        statistic   = "Minimum"
      }
      connections = {
        description = "The database has many connections, near what the proxy may open."
        metric      = "DatabaseConnections"
        at          = var.thresholds.database_connections
      }
      } : "database-${what}" => {
      description = it.description
      namespace   = "AWS/RDS"
      dimensions  = { DBInstanceIdentifier = coalesce(var.database, "none") }
      metric      = it.metric
      statistic   = try(it.statistic, "Average")
      period      = local.five_minutes
      readings    = 3
      at          = it.at
      comparison  = try(it.comparison, "GreaterThanOrEqualToThreshold")
      missing     = "notBreaching"
    }
  }

  alarms = merge(
    local.remuda_alarms,
    local.sweep_alarms,
    local.function_alarms,
    local.queue_alarms,
    local.api_alarms,
    { for name, it in local.table_alarms : name => it if var.table != null },
    { for name, it in local.database_alarms : name => it if var.database != null },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = each.value.description

  namespace   = try(each.value.namespace, local.own)
  dimensions  = try(each.value.dimensions, local.own_dimensions)
  metric_name = each.value.metric
  statistic   = each.value.statistic
  period      = each.value.period

  evaluation_periods  = each.value.readings
  comparison_operator = try(each.value.comparison, "GreaterThanOrEqualToThreshold")
  threshold           = each.value.at
  treat_missing_data  = each.value.missing

  alarm_actions = var.topic_arn == null ? [] : [var.topic_arn]
  ok_actions    = var.topic_arn == null ? [] : [var.topic_arn]
}
