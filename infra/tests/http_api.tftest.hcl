# The HTTP API by itself.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_apigatewayv2_api" {
    defaults = {
      id            = "api"
      api_endpoint  = "https://api.execute-api.eu-central-1.amazonaws.com"
      execution_arn = "arn:aws:execute-api:eu-central-1:123456789012:api"
    }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:access" }
  }
}

variables {
  store   = "sqs"
  package = "tests/package/sqs"

  name = "here"
  routes = {
    "POST /v1/jobs"             = "submit"
    "POST /v1/robots/{id}/sync" = "robot-callback"
    "$default"                  = "control"
  }
  robot_routes = ["POST /v1/robots/{id}/sync"]
  functions = {
    submit         = { name = "here-submit", invoke_arn = "arn:aws:apigateway:submit" }
    robot-callback = { name = "here-robot-callback", invoke_arn = "arn:aws:apigateway:robot-callback" }
    control        = { name = "here-control", invoke_arn = "arn:aws:apigateway:control" }
    migrate        = { name = "here-migrate", invoke_arn = "arn:aws:apigateway:migrate" }
  }
  throttling         = { rate = 20, burst = 40, robot_rate = 100, robot_burst = 200 }
  log_retention_days = 30
}

run "it_is_closed_to_web_pages_and_open_to_its_functions" {
  command = plan

  module {
    source = "./modules/http_api"
  }

  assert {
    condition     = length(aws_apigatewayv2_api.this.cors_configuration) == 0
    error_message = "Web pages are let in."
  }

  assert {
    condition     = toset(keys(aws_lambda_permission.api)) == toset(["submit", "robot-callback", "control"])
    error_message = "What no route goes to may be called: ${join(", ", keys(aws_lambda_permission.api))}"
  }

  assert {
    condition     = alltrue([for permission in aws_lambda_permission.api : permission.source_arn == "arn:aws:execute-api:eu-central-1:123456789012:api/*"])
    error_message = "Other APIs may call the functions."
  }

  assert {
    condition     = alltrue([for integration in aws_apigatewayv2_integration.function : integration.payload_format_version == "2.0"])
    error_message = "The functions read the format 2.0."
  }

  assert {
    condition     = aws_apigatewayv2_stage.this.default_route_settings[0].throttling_rate_limit == 20
    error_message = "The API lets everything through."
  }

  assert {
    condition     = one(aws_apigatewayv2_stage.this.route_settings).throttling_rate_limit == 100 && one(aws_apigatewayv2_stage.this.route_settings).route_key == "POST /v1/robots/{id}/sync"
    error_message = "Robots share a bucket with everybody."
  }

  assert {
    condition     = jsondecode(aws_apigatewayv2_stage.this.access_log_settings[0].format).status == "$context.status"
    error_message = "The access log is no JSON."
  }

  assert {
    condition     = output.url == "https://api.execute-api.eu-central-1.amazonaws.com" && length(aws_apigatewayv2_domain_name.this) == 0
    error_message = output.url
  }
}

run "a_name_of_its_own_is_the_only_one" {
  command = plan

  module {
    source = "./modules/http_api"
  }

  variables {
    domain = {
      name            = "remuda.example.com"
      certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/x"
      zone_id         = "Z123"
    }
    cors = { origins = ["https://ops.example.com"], max_age_seconds = 60 }
  }

  assert {
    condition     = aws_apigatewayv2_api.this.disable_execute_api_endpoint && output.url == "https://remuda.example.com"
    error_message = "There are two addresses."
  }

  assert {
    condition     = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].security_policy == "TLS_1_2"
    error_message = "Old TLS is let in."
  }

  assert {
    condition     = length(aws_route53_record.this) == 1
    error_message = "The name is not put into the zone."
  }

  assert {
    condition     = aws_apigatewayv2_api.this.cors_configuration[0].allow_origins == toset(["https://ops.example.com"])
    error_message = "Another page is let in."
  }
}
