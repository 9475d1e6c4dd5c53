//! The cases, by what they are about.

pub mod conventions;
pub mod fleet;
pub mod health;
pub mod jobs;
pub mod keys;
pub mod lists;
pub mod protocol;
pub mod reports;
pub mod submitting;

/// Makes a test of each case for one store. `$make` is an async function that gives an `Arc<dyn Store>` that is empty but
/// for its schema, and what has to live as long.
#[macro_export]
macro_rules! suite {
    ($make:expr) => {
        $crate::suite! { @ $make;
            conventions {
                malformed_json_is_told
                every_mistake_of_a_body_is_told_with_its_pointer
                another_content_type_is_refused
                an_unknown_path_and_a_wrong_method_are_told
                every_answer_has_an_id
                a_body_that_is_too_large_is_refused_before_it_is_parsed
                the_order_of_refusals_is_the_same_everywhere
            }
            submitting {
                a_new_job_is_answered_in_full
                every_field_of_a_job_is_kept
                json_is_kept_as_it_means
                numbers_out_of_range_are_refused
                a_job_waits_for_its_time
                the_same_key_and_body_give_the_same_job
                the_same_key_with_another_body_is_refused
                a_refused_request_does_not_use_up_its_key
                a_bad_idempotency_key_is_refused
                a_held_dedup_key_returns_rejects_or_replaces
                a_payload_that_is_too_large_is_refused
                jobs_of_a_bulk_stand_alone
                a_bulk_has_one_to_a_thousand_jobs
                a_bulk_knows_its_idempotency_keys
            }
            jobs {
                a_job_that_is_not_there_is_not_found
                cancel_is_at_once_unless_a_robot_works_on_it
                a_finished_job_is_not_cancelled
                a_job_that_failed_is_tried_again_as_a_new_one
                history_tells_every_transition
                explain_tells_what_holds_a_job_back
                wait_answers_when_the_time_is_up_or_the_job_is_over
                dead_letters_are_dealt_with_once
                many_jobs_are_cancelled_or_tried_again_by_a_filter
            }
            lists {
                lists_are_newest_first_and_whole
                lists_are_filtered
                a_bad_query_is_refused
            }
            protocol {
                a_robot_is_registered_with_a_key_of_its_own
                a_job_runs_once_a_sync_lists_it
                the_same_sync_gives_the_same_jobs_again
                a_new_session_supersedes_the_older_one
                a_cancel_reaches_the_robot_with_a_grace
                a_job_comes_with_all_that_a_robot_needs
                a_job_is_given_back_unstarted
                a_session_ends_the_leases_it_does_not_list
            }
            reports {
                a_report_sent_again_has_no_second_effect
                a_report_of_a_lost_lease_changes_nothing
                a_failure_is_tried_again_and_a_business_error_is_not
                a_late_report_that_nobody_overtook_is_taken
                a_report_that_contradicts_itself_is_refused
                another_robots_attempt_is_out_of_reach
                a_log_has_no_gap_and_no_second_body
                a_packed_chunk_is_kept_unpacked
                checkpoints_reach_the_next_attempt
                results_and_notes_are_bounded
            }
            fleet {
                queues_are_listed_and_set
                robots_are_listed_drained_and_removed
                stats_count_what_is_there
                metrics_are_text_and_count_lost_leases
            }
            keys {
                a_key_is_shown_once_and_listed_without_its_text
                a_revoked_or_expired_key_is_refused_at_once
                a_key_may_come_in_either_header
                a_key_makes_keys_in_its_own_tenant_only
                another_tenants_things_are_not_there
                write_does_not_include_read_and_admin_includes_all
            }
            health {
                health_is_true_and_needs_no_key
                a_store_out_of_reach_is_told_and_comes_back
                overload_is_refused_honestly_and_robots_are_not
            }
        }
    };
    (@ $make:expr; $($module:ident { $($case:ident)* })*) => {
        $(mod $module {
            #[allow(unused_imports, reason = "the constructor may be given by its full path")]
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let (store, _guard) = $make().await;
                    $crate::cases::$module::$case(store).await;
                }
            )*
        })*
    };
}
