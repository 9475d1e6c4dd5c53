output "url" {
  description = "Where clients and robots find Remuda: REMUDA_URL."
  value       = module.http_api.url
}

output "migrate_command" {
  description = "Brings the store up to date, and says what was done. Run it after each apply that brings new functions."
  value       = "aws lambda invoke --region ${local.place.region} --function-name ${module.function["migrate"].name} --cli-binary-format raw-in-base64-out --payload '{\"action\":\"migrate\"}' /dev/stdout"
}

output "state_command" {
  description = "Says how the store stands, and changes nothing."
  value       = "aws lambda invoke --region ${local.place.region} --function-name ${module.function["migrate"].name} --cli-binary-format raw-in-base64-out --payload '{\"action\":\"state\"}' /dev/stdout"
}

output "first_key_command" {
  description = "Makes the first admin key and shows it this once. Who may run it is decided by IAM (lambda:InvokeFunction on migrate)."
  value       = "aws lambda invoke --region ${local.place.region} --function-name ${module.function["migrate"].name} --cli-binary-format raw-in-base64-out --payload '{\"action\":\"create_key\",\"tenant\":\"default\",\"name\":\"first admin\",\"scopes\":[\"admin\"]}' /dev/stdout"
}

output "store" {
  description = "The setting REMUDA_STORE of the functions, for `remuda store copy`. There is no secret in it."
  value       = local.store
}

output "table" {
  description = "The table's name; null on Postgres."
  value       = one(module.table[*].name)
}

output "queue" {
  description = "The URL of the queue of hints; null on Postgres."
  value       = one(module.hints[*].url)
}

output "dead_letter_queue" {
  description = "The URL of the dead letters of hints; null on Postgres."
  value       = one(module.hints[*].dead_letter_url)
}

output "functions" {
  description = "The functions' names in AWS, by name."
  value       = { for name, function in module.function : name => function.name }
}

output "alarms" {
  description = "The alarms' names."
  value       = flatten(module.alarms[*].names)
}

output "alarm_topic" {
  description = "The SNS topic that the alarms tell; null if none."
  value       = var.alarms.topic_arn
}

output "dashboard_url" {
  description = "The dashboard in CloudWatch; null without alarms."
  value       = var.alarms.enabled ? "https://${local.place.region}.console.aws.amazon.com/cloudwatch/home?region=${local.place.region}#dashboards/dashboard/${one(module.alarms[*].dashboard)}" : null
}

output "domain_target" {
  description = "What the name of your own has to point at where it is not put into a zone; null without one."
  value       = module.http_api.domain_target
}
