output "url" {
  description = "The queue's URL."
  value       = aws_sqs_queue.hints.url
}

output "arn" {
  description = "The queue's ARN."
  value       = aws_sqs_queue.hints.arn
}

output "name" {
  description = "The queue's name."
  value       = aws_sqs_queue.hints.name
}

output "dead_letter_name" {
  description = "The name of its dead-letter queue."
  value       = aws_sqs_queue.dead.name
}

output "dead_letter_url" {
  description = "The URL of its dead-letter queue."
  value       = aws_sqs_queue.dead.url
}
