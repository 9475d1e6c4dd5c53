# The HTTP API: each route goes to one function. Who may call is decided there, by the key that the caller shows.

locals {
  # The longest that an HTTP API waits for a function.
  integration_timeout_ms = 30000

  callers = toset(values(var.routes))

  access_log_fields = {
    requestId         = "$context.requestId"
    at                = "$context.requestTime"
    method            = "$context.httpMethod"
    path              = "$context.path"
    route             = "$context.routeKey"
    status            = "$context.status"
    sourceIp          = "$context.identity.sourceIp"
    userAgent         = "$context.identity.userAgent"
    responseBytes     = "$context.responseLength"
    latencyMs         = "$context.responseLatency"
    integrationMs     = "$context.integrationLatency"
    integrationStatus = "$context.integrationStatus"
    error             = "$context.error.message"
    integrationError  = "$context.integrationErrorMessage"
  }
}

resource "aws_apigatewayv2_api" "this" {
  name          = var.name
  description   = "Remuda: jobs, robots and operators"
  protocol_type = "HTTP"

  # With a name of its own there is one address, not two.
  disable_execute_api_endpoint = var.domain != null

  dynamic "cors_configuration" {
    for_each = var.cors == null ? [] : [var.cors]
    content {
      allow_origins  = cors_configuration.value.origins
      allow_methods  = ["GET", "POST", "PUT", "DELETE"]
      allow_headers  = ["authorization", "content-type", "idempotency-key", "traceparent", "x-api-key"]
      expose_headers = ["idempotent-replayed", "location", "retry-after", "x-request-id"]
      max_age        = cors_configuration.value.max_age_seconds
    }
  }
}

resource "aws_apigatewayv2_integration" "function" {
  for_each = local.callers

  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = var.functions[each.key].invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = local.integration_timeout_ms
}

resource "aws_apigatewayv2_route" "this" {
  #checkov:skip=CKV_AWS_309:Keys are Remuda's own, hashed in the store and with scopes: each function checks them, and an authorizer in front would read them a second time
  for_each = var.routes

  api_id             = aws_apigatewayv2_api.this.id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.function[each.value].id}"
  authorization_type = "NONE"
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = var.throttling.rate
    throttling_burst_limit = var.throttling.burst
  }

  # A flood of submits must not keep robots from renewing their leases, so their routes have a bucket of their own.
  dynamic "route_settings" {
    for_each = var.robot_routes
    content {
      route_key              = route_settings.value
      throttling_rate_limit  = var.throttling.robot_rate
      throttling_burst_limit = var.throttling.robot_burst
    }
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format          = jsonencode(local.access_log_fields)
  }

  # The settings of a route can only be given once it is there.
  depends_on = [aws_apigatewayv2_route.this]
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts logs with a key of its own; kms_key_arn puts yours in its place
  #checkov:skip=CKV_AWS_338:How long logs are kept is a setting, by default 30 days: they cost by the day
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

# This API, and no other, may call the functions.
resource "aws_lambda_permission" "api" {
  for_each = local.callers

  statement_id  = "HttpApi"
  action        = "lambda:InvokeFunction"
  function_name = var.functions[each.key].name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*"
}
