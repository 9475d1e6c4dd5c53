# The same on one page, for when somebody was woken.

locals {
  columns       = 2
  widget_width  = 12
  widget_height = 6

  own_metric = { for name in [
    "OldestReadySeconds", "ReadyJobs", "RobotsOnline", "SweepRuns", "LeasesLost", "JobsRetried", "JobsEnded", "DeadLetters",
    "JobsDispatched", "JobsSubmitted", "AttemptsFinished", "Refusals",
  ] : name => [local.own, name, "Deployment", var.name] }

  own_charts = [
    { title = "What waits", statistic = "Maximum", metrics = [local.own_metric.ReadyJobs] },
    { title = "How long the oldest has waited, in seconds", statistic = "Maximum", metrics = [local.own_metric.OldestReadySeconds] },
    { title = "Robots online", statistic = "Minimum", metrics = [local.own_metric.RobotsOnline] },
    {
      title     = "Jobs"
      statistic = "Sum"
      metrics   = [local.own_metric.JobsSubmitted, local.own_metric.JobsDispatched, local.own_metric.AttemptsFinished]
    },
    {
      title     = "What went wrong"
      statistic = "Sum"
      metrics   = [local.own_metric.LeasesLost, local.own_metric.JobsRetried, local.own_metric.DeadLetters, local.own_metric.Refusals]
    },
    { title = "Sweeps", statistic = "Sum", metrics = [local.own_metric.SweepRuns, local.own_metric.JobsEnded] },
  ]

  aws_charts = [
    {
      title     = "API: calls and errors"
      statistic = "Sum"
      metrics   = [for metric in ["Count", "4xx", "5xx"] : ["AWS/ApiGateway", metric, "ApiId", var.api_id]]
    },
    { title = "API: latency, 95 of 100", statistic = "p95", metrics = [["AWS/ApiGateway", "Latency", "ApiId", var.api_id]] },
    {
      title     = "Functions: errors and throttles"
      statistic = "Sum"
      metrics = flatten([for name in values(var.functions) : [
        for metric in ["Errors", "Throttles"] : { row = ["AWS/Lambda", metric, "FunctionName", name] }
      ]])[*].row
    },
    {
      title     = "Functions: duration, 95 of 100"
      statistic = "p95"
      metrics   = [for name in values(var.functions) : ["AWS/Lambda", "Duration", "FunctionName", name]]
    },
    {
      title     = "Dead letters of queues"
      statistic = "Maximum"
      metrics   = [for name in values(var.dead_letter_queues) : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name]]
    },
  ]

  table_charts = [
    {
      title     = "Table: units"
      statistic = "Sum"
      metrics = [
        for metric in ["ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ReadThrottleEvents", "WriteThrottleEvents"] :
        ["AWS/DynamoDB", metric, "TableName", coalesce(var.table, "none")]
      ]
    },
  ]

  database_charts = [
    {
      title     = "Database"
      statistic = "Average"
      metrics = [
        for metric in ["CPUUtilization", "DatabaseConnections"] :
        ["AWS/RDS", metric, "DBInstanceIdentifier", coalesce(var.database, "none")]
      ]
    },
  ]

  charts = concat(
    local.own_charts,
    local.aws_charts,
    [for it in local.table_charts : it if var.table != null],
    [for it in local.database_charts : it if var.database != null],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [
      for place, chart in local.charts : {
        type   = "metric"
        x      = place % local.columns * local.widget_width
        y      = floor(place / local.columns) * local.widget_height
        width  = local.widget_width
        height = local.widget_height
        properties = {
          title   = chart.title
          region  = var.region
          stat    = chart.statistic
          period  = local.minute
          view    = "timeSeries"
          metrics = chart.metrics
        }
      }
    ]
  })
}
