# One Lambda function: its program, its log, and a role of its own that may do what its statements say and nothing else.

locals {
  log_group        = "/aws/lambda/${var.name}"
  dead_letter_name = "${var.name}-dead"

  in_place        = "${var.place.region}:${var.place.account}"
  log_group_arn   = "arn:${var.place.partition}:logs:${local.in_place}:log-group:${local.log_group}"
  function_arn    = "arn:${var.place.partition}:lambda:${local.in_place}:function:${var.name}"
  dead_letter_arn = "arn:${var.place.partition}:sqs:${local.in_place}:${local.dead_letter_name}"

  # The longest that SQS keeps anything: dead letters wait for a person.
  dead_letter_retention_seconds = 14 * 24 * 3600

  # What every function needs, whatever it does.
  own_statements = [
    {
      sid       = "WriteLog"
      why       = "Its own log group, which exists: it may not make others."
      actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      resources = ["${local.log_group_arn}:*"]
      effect    = "Allow"
      condition = null
    },
  ]

  tracing_statements = [
    {
      sid       = "SendTraces"
      why       = "X-Ray knows no resource for these two, so there is nothing finer than *."
      actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      resources = ["*"]
      effect    = "Allow"
      condition = null
    },
  ]

  scheduled_statements = [
    {
      sid       = "KeepDeadLetters"
      why       = "Lambda puts calls that failed there in the function's name."
      actions   = ["sqs:SendMessage"]
      resources = [local.dead_letter_arn]
      effect    = "Allow"
      condition = null
    },
  ]

  # Lambda makes network interfaces in the function's name, at whichever subnet has room, and describes them all.
  network_actions = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
  ]
  network_statements = [
    {
      sid       = "JoinNetwork"
      why       = "What Lambda asks for before it runs anything in a VPC; the interfaces have no ARN before they are made."
      actions   = local.network_actions
      resources = ["*"]
      effect    = "Allow"
      condition = null
    },
    {
      sid       = "NoNetworkForTheProgram"
      why       = "The statement before is for Lambda alone: the program in the function may do none of it."
      actions   = local.network_actions
      resources = ["*"]
      effect    = "Deny"
      condition = { ArnEquals = { "lambda:SourceFunctionArn" = [local.function_arn] } }
    },
  ]

  key_statements = [
    {
      sid       = "ReadEnvironment"
      why       = "Lambda decrypts the environment in the function's name when it starts; the context names this function."
      actions   = ["kms:Decrypt"]
      resources = [coalesce(var.kms_key_arn, "none")]
      effect    = "Allow"
      condition = { StringEquals = { "kms:EncryptionContext:aws:lambda:FunctionArn" = [local.function_arn] } }
    },
  ]

  dead_letter_key_statements = [
    {
      sid       = "EncryptDeadLetters"
      why       = "SQS encrypts a message with a data key that the sender has to be allowed to make."
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [coalesce(var.kms_key_arn, "none")]
      effect    = "Allow"
      condition = { StringEquals = { "kms:ViaService" = ["sqs.${var.place.region}.amazonaws.com"] } }
    },
  ]

  statements = concat(
    local.own_statements,
    [for it in local.tracing_statements : it if var.tracing],
    [for it in local.scheduled_statements : it if var.is_scheduled],
    [for it in local.network_statements : it if var.network != null],
    [for it in local.key_statements : it if var.kms_key_arn != null],
    [for it in local.dead_letter_key_statements : it if var.kms_key_arn != null && var.is_scheduled],
    var.statements,
  )
}

resource "aws_iam_role" "this" {
  name        = var.name
  description = "What the function ${var.name} may do"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "LambdaRunsAsThisRole"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  #checkov:skip=CKV_AWS_290:X-Ray's two actions and Lambda's network interfaces know no resource; tests/infra holds the whole list
  #checkov:skip=CKV_AWS_355:As above: the kept list in tests/infra names each statement with * and its reason
  name = "work"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for it in local.statements : merge(
        { Sid = it.sid, Effect = it.effect, Action = it.actions, Resource = it.resources },
        it.condition == null ? {} : { Condition = it.condition },
      )
    ]
  })
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts logs with a key of its own; kms_key_arn puts yours in its place
  #checkov:skip=CKV_AWS_338:How long logs are kept is a setting, by default 30 days: they cost by the day
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:Reserved where it protects something (the sweep); elsewhere a reservation takes from the account's other functions
  #checkov:skip=CKV_AWS_116:Functions that are called for an answer have no dead letters; the scheduled ones have a queue each
  #checkov:skip=CKV_AWS_117:Only Postgres lies in a VPC; with DynamoDB and SQS a VPC would add a network and protect nothing
  #checkov:skip=CKV_AWS_173:There is no secret in the environment, and Lambda encrypts it with a key of its own; kms_key_arn puts yours in its place
  #checkov:skip=CKV_AWS_272:The zip's hash is in the manifest and in the plan; signing needs a profile of the account's own
  function_name = var.name
  description   = var.description
  role          = aws_iam_role.this.arn

  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = var.file
  source_code_hash = var.source_code_hash

  memory_size                    = var.memory_mb
  timeout                        = var.timeout
  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)
  kms_key_arn                    = var.kms_key_arn

  environment {
    variables = var.environment
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  # The program writes JSON lines itself, and metrics among them: Lambda is to leave them as they are.
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  dynamic "dead_letter_config" {
    for_each = aws_sqs_queue.dead[*].arn
    content {
      target_arn = dead_letter_config.value
    }
  }

  dynamic "vpc_config" {
    for_each = var.network == null ? [] : [var.network]
    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  # Lambda looks at once whether the role may do what the settings need.
  depends_on = [aws_iam_role_policy.this]
}

# A scheduled call that failed is not worth another try: the next tick is a minute away and does the same.
resource "aws_lambda_function_event_invoke_config" "this" {
  count = var.is_scheduled ? 1 : 0

  function_name                = aws_lambda_function.this.function_name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}

# Calls that could not be made, and those that the function failed at.
resource "aws_sqs_queue" "dead" {
  #checkov:skip=CKV_AWS_27:Encrypted with a key of SQS; kms_key_arn puts yours in its place
  count = var.is_scheduled ? 1 : 0

  name                      = local.dead_letter_name
  message_retention_seconds = local.dead_letter_retention_seconds
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
}

# Nothing is sent or read without TLS, whoever may do it.
resource "aws_sqs_queue_policy" "tls" {
  count = var.is_scheduled ? 1 : 0

  queue_url = aws_sqs_queue.dead[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RefuseWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = local.dead_letter_arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
