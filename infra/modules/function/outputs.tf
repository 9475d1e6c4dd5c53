output "name" {
  description = "The function's name."
  value       = aws_lambda_function.this.function_name
}

output "arn" {
  description = "The function's ARN."
  value       = aws_lambda_function.this.arn
}

output "invoke_arn" {
  description = "The ARN by which API Gateway calls it."
  value       = aws_lambda_function.this.invoke_arn
}

output "dead_letter_name" {
  description = "The name of the queue of calls that failed; null for a function that is not scheduled."
  value       = one(aws_sqs_queue.dead[*].name)
}
