//! One async fn a promise of the operations, each on an engine over a store that is fresh and empty.

#![expect(missing_docs, reason = "the name of a case is its sentence")]

pub mod cancelling;
pub mod dispatching;
pub mod explaining;
pub mod finishing;
pub mod keeping_keys;
pub mod matching;
pub mod noting;
pub mod reading;
pub mod remembering;
pub mod retrying;
pub mod sessions;
pub mod storming;
pub mod submitting;
pub mod sweeping;
pub mod syncing;

/// Makes a test of each case of this module for one store; see [`suite!`](crate::suite).
///
/// ```ignore
/// queue_conformance::operation_suite!(memory_operations, make_store);
/// ```
#[macro_export]
macro_rules! operation_suite {
    ($name:ident, $make:expr) => {
        $crate::suite!($name, $make, operation_case_list);
    };
}

/// Names every case of this module for [`operation_suite!`](crate::operation_suite).
#[macro_export]
macro_rules! operation_case_list {
    (@$form:ident $($make:expr)?) => {
        $crate::operation_list! {
            @$form $($make)?;
            submitting {
                a_new_job_is_ready_at_once
                a_job_for_later_waits_for_its_time
                a_time_that_is_past_means_now
                a_payload_is_kept_as_it_was_sent
                the_robot_gets_the_payload
                every_word_of_a_job_is_kept
                the_same_request_again_gets_the_same_job
                another_request_with_the_same_key_is_refused_and_writes_nothing
                a_replay_is_told_before_a_duplicate
                a_refused_request_does_not_use_up_its_key
                keys_of_two_tenants_do_not_meet
                one_key_is_used_once_in_a_bulk
                racing_submits_of_one_key_make_one_job
                racing_submits_of_one_dedup_key_leave_one_unfinished_job
                a_dedup_key_that_is_held_returns_its_job
                a_dedup_key_that_is_held_can_refuse
                a_dedup_key_is_free_once_its_job_has_ended
                a_dedup_key_is_its_queues_own
                a_later_job_takes_the_place_of_one_that_waits
                a_job_that_a_robot_has_is_not_replaced
                a_bulk_that_replaces_within_itself_leaves_its_last_job
                the_jobs_of_a_bulk_are_taken_in_one_after_the_other
                the_jobs_of_a_bulk_keep_their_order
                a_thousand_jobs_come_in_one_bulk
                a_bulk_of_nothing_is_answered_with_nothing
                too_many_waiting_jobs_refuse_more_until_they_are_fewer
            }
            reading {
                a_job_that_is_not_there_is_not_found
                a_list_shows_what_meets_its_filter
                a_filter_looks_behind_many_jobs_that_do_not_meet_it
                paging_loses_and_repeats_nothing_while_jobs_are_added
                jobs_of_one_moment_are_parted_by_their_ids
                a_page_carries_no_more_than_some_megabytes
                the_history_tells_every_step
                a_long_history_is_whole
                a_read_never_leaves_its_tenant
            }
            cancelling {
                a_job_that_waits_is_cancelled_at_once
                a_leased_job_is_cancelled_at_once_and_its_robot_is_told_lost
                a_running_job_is_stopped_by_its_robot
                a_cancelled_job_that_fails_is_cancelled
                a_success_that_is_reported_first_stands
                a_cancelled_job_whose_robot_is_lost_does_not_run_again
                a_robot_that_does_not_stop_is_not_waited_for
                a_cancelled_job_whose_robot_starts_anew_is_cancelled
                a_cancel_again_answers_the_same
                what_a_client_says_of_a_cancel_is_kept
                a_job_that_is_over_otherwise_cannot_be_cancelled
                many_jobs_are_cancelled_by_a_filter
                a_cancel_that_races_with_a_lease_ends_the_job_or_asks_its_robot
                a_cancel_that_races_with_a_success_has_one_outcome
            }
            retrying {
                a_job_that_failed_is_tried_again_as_a_new_job
                a_cancelled_job_is_tried_again_too
                a_job_that_is_not_over_or_succeeded_is_not_retried
                a_time_that_is_past_is_left_out_of_a_retry
                dead_letters_are_what_failed_or_timed_out
                dead_letters_come_in_pages
                a_dead_letter_is_requeued_once
                racing_requeues_make_one_job
                a_dead_letter_is_discarded_or_resolved_once
                what_is_no_dead_letter_is_not_settled
                many_jobs_are_retried_by_a_filter
                a_bulk_retry_meets_jobs_of_its_own_moment
            }
            explaining {
                a_job_whose_time_has_not_come_says_when_it_does
                a_paused_queue_is_named
                no_robot_online_means_none_that_serves_the_queue
                what_no_robot_has_is_named
                busy_robots_are_told_from_missing_ones
                a_job_that_waits_for_its_robot_says_so
                a_running_and_a_finished_job_say_so
            }
            matching {
                the_most_urgent_goes_first_and_then_the_oldest
                age_counts_from_when_a_job_could_run
                a_job_that_lost_its_robot_keeps_its_place
                a_robot_gets_only_what_it_can_do
                a_job_for_one_robot_goes_to_no_other
                a_preference_rules_nobody_out
                a_robot_gets_jobs_of_its_own_queues
                a_robot_gets_no_job_of_another_tenant
                a_thousand_jobs_that_a_robot_cannot_do_hide_none_that_it_can
                a_thousand_kinds_of_jobs_hide_none_that_a_robot_can_do
                a_paused_queue_hands_out_nothing
                what_a_dispatch_reserved_is_not_handed_over_once_the_queue_is_paused
                a_running_job_of_a_paused_queue_goes_on
                a_setting_that_is_left_out_stays
                the_queue_rules_how_long_a_lease_is
                a_queue_comes_into_being_with_its_first_job_or_robot
                a_robot_gets_many_jobs_at_once
            }
            sessions {
                a_robot_is_kept_as_it_registered
                a_sync_without_a_session_is_refused
                a_new_session_supersedes_the_older_one
                what_a_new_session_does_not_hold_is_lost_at_once
                a_restart_can_end_a_job
                a_job_that_kills_its_robots_ends_as_poison
                holding_another_token_holds_nothing
                a_draining_robot_finishes_and_gets_nothing_new
                a_robot_that_says_it_drains_gives_back_what_was_reserved
                a_removed_robot_loses_its_jobs_and_its_key
                a_robot_is_offline_after_two_minutes_of_silence
                robots_come_in_pages
                a_lease_listed_as_held_survives_any_number_of_sessions
            }
            syncing {
                the_same_sync_again_gives_the_same_jobs_again
                an_older_sync_is_stale
                seq_may_begin_anywhere_and_leave_gaps
                a_sync_again_renews_again
                a_job_runs_only_once_its_robot_said_so
                a_job_that_is_not_begun_goes_back_after_its_lease
                a_running_job_that_is_not_listed_is_not_renewed
                a_renewed_lease_lasts_from_the_renewal
                each_listed_job_is_answered_in_its_place
                a_robot_cannot_renew_what_another_holds
                progress_is_kept_until_the_next_attempt
                a_robot_never_gets_more_than_it_has_room_for
                a_new_sync_after_a_lost_answer_does_not_exceed_the_room
                racing_syncs_never_give_more_than_there_is_room
                a_slot_is_given_back_only_when_its_claim_can_no_longer_go_through
                racing_robots_never_share_a_job
                a_robots_state_is_what_it_does
                the_server_says_when_to_sync_next
            }
            dispatching {
                a_reserved_job_is_handed_over_with_a_whole_lease
                what_was_reserved_comes_before_what_is_found
                a_reserved_job_without_room_for_it_goes_back
                the_same_sync_again_gives_again_what_was_reserved
                a_robot_that_does_not_ask_soon_gets_nothing_reserved
                an_overdue_robot_gets_nothing_reserved
                a_robot_that_opened_a_session_and_did_not_sync_gets_nothing_reserved
                a_reserved_job_that_nobody_fetches_goes_back
                a_dispatch_reserves_no_more_than_there_is_room
                racing_dispatches_and_syncs_keep_within_bounds
                two_dispatches_at_once_reserve_each_job_once
                a_queue_can_be_dispatched_alone
                a_dispatch_serves_every_tenant_apart
                a_dispatch_crosses_no_requirement
                the_load_is_spread_by_the_queues_strategy
            }
            finishing {
                a_success_is_kept_with_its_result
                the_same_report_again_gets_the_same_answer
                the_same_report_again_is_known_after_a_later_attempt_began
                another_report_of_a_finished_attempt_is_a_conflict
                a_wrong_token_or_attempt_is_told_lost
                another_robot_cannot_speak_for_an_attempt
                an_overtaken_report_is_told_lost
                a_report_of_a_job_that_ended_otherwise_is_told_lost
                a_late_report_that_nobody_overtook_is_taken
                a_late_report_after_a_restart_is_taken
                a_late_failure_burns_no_second_attempt
                an_attempt_that_was_never_listed_counts_as_begun
                an_unlisted_attempt_reported_late_counts_as_begun
                an_error_is_tried_again_until_the_budget_is_spent
                a_robot_may_say_when_to_try_again
                a_business_error_is_not_tried_again
                a_robot_may_cancel_what_nobody_asked_it_to
                many_reports_are_taken_each_for_itself
                racing_reports_have_one_outcome
                an_unstarted_job_is_given_back_and_burns_nothing
                a_started_job_cannot_be_given_back
                a_job_that_nobody_begins_ends_as_undeliverable
                lost_attempts_end_as_the_contract_says
            }
            noting {
                a_log_grows_chunk_by_chunk
                a_gap_in_a_log_is_refused_with_the_chunk_that_is_expected
                the_same_chunk_again_is_taken_and_another_is_a_conflict
                a_log_has_its_bound
                each_attempt_has_its_own_log
                a_log_ends_with_its_attempt
                a_log_ends_with_its_job
                the_next_attempt_gets_every_checkpoint
                an_overtaken_attempt_spoils_no_checkpoint
                a_sync_again_gives_the_same_checkpoints
                there_are_so_many_checkpoints_and_no_more
                a_job_that_is_over_keeps_its_log
            }
            sweeping {
                a_job_that_no_robot_takes_in_time_is_given_up
                the_queue_time_counts_from_when_a_job_could_run
                an_attempt_that_runs_too_long_is_ended_and_tried_again
                the_run_time_counts_from_the_start
                a_deadline_ends_a_job_wherever_it_stands
                a_robot_gets_nothing_whose_deadline_is_over
                a_lost_robots_job_is_ready_after_its_lease
                a_timer_that_was_put_off_is_set_anew
                a_timer_of_an_old_attempt_does_nothing
                two_sweeps_at_once_do_the_same_as_one
                a_renewal_that_races_with_the_sweep_is_answered_truly
                a_report_that_races_with_the_sweep_is_taken
                one_sweep_goes_through_more_than_a_page
                a_sweep_with_nothing_to_do_does_nothing
                a_job_that_waits_for_days_is_still_found
                what_is_over_is_kept_for_as_long_as_it_is_to_be
                what_was_removed_leaves_nothing_behind
                what_is_not_over_is_never_removed
                a_settled_dead_letter_is_removed_in_its_time
                a_dedup_key_does_not_outlive_its_job_for_long
                no_promise_hangs_on_a_hint
                counts_are_of_what_there_is
            }
            keeping_keys {
                a_key_is_found_as_it_was_made
                a_tenant_sees_its_own_keys
                a_revoked_key_is_gone_at_once
                another_tenants_key_is_not_revoked
            }
            remembering {
                a_robot_that_another_process_drains_gets_nothing
                a_session_that_another_process_opened_supersedes_the_older_one
                a_session_that_was_superseded_elsewhere_writes_no_job
                a_sync_that_another_process_answered_is_not_answered_anew
                a_robot_that_another_process_removed_is_not_found
                a_report_meets_the_job_as_another_process_left_it
                a_lease_that_another_process_ended_is_not_finished
                a_lease_that_another_process_gave_is_finished
                the_slots_of_jobs_that_are_over_are_free_again
            }
            storming {
                a_storm_of_clients_robots_and_schedules_loses_nothing
                clocks_some_seconds_apart_only_delay
            }
        }
    };
}

/// The two forms of the list: tests that run the cases (`@tests`), each with a kit on a store of its own, and their names.
#[macro_export]
macro_rules! operation_list {
    (@tests $make:expr; $($module:ident { $($case:ident)* })*) => {
        $(mod $module {
            #[allow(unused_imports, reason = "the constructor may be given by its full path")]
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let fixture: $crate::Fixture = $make().await;
                    $crate::operation_cases::$module::$case(&$crate::kit::Kit::new(fixture.store())).await;
                }
            )*
        })*
    };
    (@names; $($module:ident { $($case:ident)* })*) => {
        &[$((stringify!($module), &[$(stringify!($case)),*])),*]
    };
}

#[cfg(test)]
mod tests {
    /// The list of cases, and the files they lie in.
    const LISTED: &[(&str, &[&str])] = operation_case_list!(@names);
    const FILES: &[(&str, &str)] = &[
        ("submitting", include_str!("submitting.rs")),
        ("reading", include_str!("reading.rs")),
        ("cancelling", include_str!("cancelling.rs")),
        ("retrying", include_str!("retrying.rs")),
        ("explaining", include_str!("explaining.rs")),
        ("matching", include_str!("matching.rs")),
        ("sessions", include_str!("sessions.rs")),
        ("syncing", include_str!("syncing.rs")),
        ("dispatching", include_str!("dispatching.rs")),
        ("finishing", include_str!("finishing.rs")),
        ("noting", include_str!("noting.rs")),
        ("sweeping", include_str!("sweeping.rs")),
        ("keeping_keys", include_str!("keeping_keys.rs")),
        ("remembering", include_str!("remembering.rs")),
        ("storming", include_str!("storming.rs")),
    ];

    #[test]
    fn every_case_is_in_the_list() {
        let listed: Vec<(&str, Vec<&str>)> = LISTED.iter().map(|(module, cases)| (*module, cases.to_vec())).collect();
        let written: Vec<(&str, Vec<&str>)> = FILES.iter().map(|(module, text)| (*module, cases_of(text))).collect();
        assert_eq!(listed, written);
    }

    fn cases_of(text: &str) -> Vec<&str> {
        text.lines()
            .filter_map(|line| line.strip_prefix("pub async fn ")?.split_once('('))
            .map(|(name, _)| name)
            .collect()
    }
}
