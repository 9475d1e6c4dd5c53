# What ticks: each scheduled function once a minute, the finest that EventBridge Scheduler knows. Hints make it faster; these
# make sure.

locals {
  # The least that Scheduler knows. A tick that could not be given within a minute is the next tick's work.
  tick_age_max_seconds = 60
  tick_retries_max     = 1
}

resource "aws_scheduler_schedule_group" "this" {
  name = var.name
}

resource "aws_scheduler_schedule" "tick" {
  #checkov:skip=CKV_AWS_297:What is sent is {}: there is nothing in it to keep secret
  for_each = var.functions

  name                         = each.key
  description                  = "Calls ${each.key} each minute"
  group_name                   = aws_scheduler_schedule_group.this.name
  schedule_expression          = "rate(1 minute)"
  schedule_expression_timezone = "UTC"
  state                        = var.is_paused ? "DISABLED" : "ENABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = each.value.arn
    role_arn = aws_iam_role.tick[each.key].arn
    input    = "{}"

    retry_policy {
      maximum_event_age_in_seconds = local.tick_age_max_seconds
      maximum_retry_attempts       = local.tick_retries_max
    }

    dead_letter_config {
      arn = each.value.dead_letter_arn
    }
  }

  depends_on = [aws_iam_role_policy.tick]
}

resource "aws_iam_role" "tick" {
  for_each = var.functions

  name        = "${var.name}-${each.key}-ticks"
  description = "What the schedule of ${each.key} may do"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "SchedulerRunsAsThisRole"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      # Another account's schedule cannot borrow it.
      Condition = { StringEquals = { "aws:SourceAccount" = var.account } }
    }]
  })
}

resource "aws_iam_role_policy" "tick" {
  for_each = var.functions

  name = "tick"
  role = aws_iam_role.tick[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        # The one function that it is for.
        {
          Sid      = "CallTheFunction"
          Effect   = "Allow"
          Action   = ["lambda:InvokeFunction"]
          Resource = [each.value.arn]
        },
        # A tick that cannot be given is kept where an alarm sees it.
        {
          Sid      = "KeepDeadLetters"
          Effect   = "Allow"
          Action   = ["sqs:SendMessage"]
          Resource = [each.value.dead_letter_arn]
        },
      ],
      var.kms_key_arn == null ? [] : [
        # SQS encrypts a message with a data key that the sender has to be allowed to make.
        {
          Sid      = "EncryptDeadLetters"
          Effect   = "Allow"
          Action   = ["kms:GenerateDataKey", "kms:Decrypt"]
          Resource = [var.kms_key_arn]
        },
      ],
    )
  })
}
