output "url" {
  description = "Where clients and robots find it."
  value       = var.domain == null ? aws_apigatewayv2_api.this.api_endpoint : "https://${var.domain.name}"
}

output "id" {
  description = "The API's id."
  value       = aws_apigatewayv2_api.this.id
}

output "domain_target" {
  description = "What the name of your own has to point at (CNAME) where it is not put into a zone; null without one."
  value       = one(aws_apigatewayv2_domain_name.this[*].domain_name_configuration[0].target_domain_name)
}
