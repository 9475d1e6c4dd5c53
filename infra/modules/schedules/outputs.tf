output "names" {
  description = "The schedules by function, as group/name."
  value       = { for function, tick in aws_scheduler_schedule.tick : function => tick.id }
}
