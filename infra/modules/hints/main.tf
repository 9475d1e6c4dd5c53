# The queue of hints, its dead letters, and what hands the hints to dispatch. A hint that is lost costs a minute, never a job.

locals {
  # A message must stay hidden for as long as Lambda may work on it and try again, or two work on it at once: AWS asks for six
  # timeouts.
  visibility_timeout = 6 * var.consumer_timeout

  # How often a hint is tried before it is put where somebody sees it.
  receives_max = 3

  # A hint says "look now". After an hour the schedule has looked sixty times.
  retention_seconds = 3600

  # The longest that SQS keeps anything: dead letters wait for a person.
  dead_letter_retention_seconds = 14 * 24 * 3600

  # Hints of one queue in one batch are one look, so batches are large. SQS wants a window for more than ten.
  batch_size           = 100
  batch_window_seconds = 1
}

resource "aws_sqs_queue" "hints" {
  #checkov:skip=CKV_AWS_27:Encrypted with a key of SQS; kms_key_arn puts yours in its place
  name                       = var.name
  visibility_timeout_seconds = local.visibility_timeout
  message_retention_seconds  = local.retention_seconds
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = local.receives_max
  })
}

resource "aws_sqs_queue" "dead" {
  #checkov:skip=CKV_AWS_27:Encrypted with a key of SQS; kms_key_arn puts yours in its place
  name                      = "${var.name}-dead"
  message_retention_seconds = local.dead_letter_retention_seconds
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
}

# Only this queue may send its dead letters there.
resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.hints.arn]
  })
}

# Nothing is sent or read without TLS, whoever may do it.
resource "aws_sqs_queue_policy" "tls" {
  for_each = {
    hints = aws_sqs_queue.hints
    dead  = aws_sqs_queue.dead
  }

  queue_url = each.value.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RefuseWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = each.value.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_lambda_event_source_mapping" "hints" {
  event_source_arn                   = aws_sqs_queue.hints.arn
  function_name                      = var.consumer_arn
  enabled                            = !var.is_paused
  batch_size                         = local.batch_size
  maximum_batching_window_in_seconds = local.batch_window_seconds

  # Of a batch only the hints that failed come again.
  function_response_types = ["ReportBatchItemFailures"]

  # A flood of hints takes no more of the account's concurrency than this.
  scaling_config {
    maximum_concurrency = var.consumer_concurrency
  }
}
