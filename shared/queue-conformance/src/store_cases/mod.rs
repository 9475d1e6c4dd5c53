//! What every store promises, a case a promise.

pub mod blobs;
pub mod claims;
pub mod contents;
pub mod copying;
pub mod indexes;
pub mod lists;
pub mod purging;
pub mod races;
pub mod records;

/// Names every case of this module for [`store_suite!`](crate::store_suite).
#[macro_export]
macro_rules! store_case_list {
    (@$form:ident $($make:expr)?) => {
        $crate::case_list! {
            @$form $($make)?; store_cases:
            records {
                a_store_that_can_be_written_to_answers_a_ping
                what_was_put_is_loaded_as_it_was
                each_write_gives_the_next_version
                a_write_that_names_an_old_version_is_refused
                a_write_that_names_a_version_to_come_is_refused
                a_write_to_what_is_not_there_is_refused
                a_second_creation_is_refused
                records_come_in_the_order_of_their_keys
                a_change_is_written_whole_or_not_at_all
                a_check_leaves_its_record_alone
                a_check_for_absence_holds_only_without_a_record
                what_is_deleted_can_be_made_again
                changes_of_one_call_stand_each_on_their_own
                a_call_may_carry_nothing
                a_call_may_carry_a_thousand_changes
            }
            contents {
                bodies_hold_any_text
                times_may_lie_far_apart
                names_that_begin_alike_are_never_mixed
                names_keep_their_case
            }
            races {
                of_racing_writes_one_wins
                of_racing_creations_one_wins
                racing_increments_lose_nothing
                changes_that_cross_do_not_block_each_other
                two_changes_that_check_what_the_other_writes_never_both_pass
                two_changes_that_check_the_absence_of_what_the_other_makes_never_both_pass
                many_calls_at_once_are_each_answered_with_their_own_outcomes
            }
            claims {
                a_claim_offers_the_best_over_all_lanes_first
                a_claim_offers_no_more_than_its_limit
                a_claim_offers_only_what_is_ready_in_its_lanes
                a_lane_named_twice_is_offered_once
                a_claim_writes_the_holder_and_its_jobs
                what_was_claimed_is_not_offered_again
                a_holder_that_moved_on_gets_none_of_its_jobs
                a_job_that_conflicts_leaves_the_others
                a_job_granted_twice_goes_to_the_first
                a_decision_may_grant_nothing
                a_claim_with_nothing_to_offer_still_decides_once
                grants_come_back_in_their_order
                a_holder_may_be_new
                no_job_is_handed_out_twice
                a_claim_hands_out_exactly_what_it_marked_while_others_write
                of_racing_claims_for_one_holder_one_wins
            }
            indexes {
                lanes_come_by_prefix_in_the_order_of_their_text
                lanes_of_any_text_are_found
                a_lane_may_be_long
                a_lane_that_runs_empty_is_not_named
                a_thousand_lanes_are_named_and_offered
                ready_gives_what_a_claim_would_offer
                due_gives_the_soonest_first_up_to_now
                what_is_due_at_one_moment_comes_by_id
                a_write_moves_a_record_in_every_index
                a_deleted_record_is_in_no_index
                count_tells_lanes_and_shelves_of_what_is_ready_or_due
                count_keeps_tenants_apart
                depth_counts_what_is_ready_and_stops_at_the_limit
            }
            lists {
                a_list_merges_its_shelves_newest_first
                what_is_listed_at_one_moment_comes_by_id_the_greatest_first
                pages_lose_and_repeat_nothing_while_records_are_added_in_front
                a_list_keeps_kinds_partitions_and_shelves_apart
                a_list_of_no_shelves_is_empty
                a_shelf_named_twice_is_listed_once
            }
            blobs {
                blobs_come_back_byte_for_byte
                blobs_come_in_the_order_of_their_keys
                a_blob_is_there_no_later_than_its_record
                a_thousand_changes_may_each_carry_a_blob
                a_blob_put_again_is_replaced
                a_new_blob_leaves_the_one_there_alone
                of_racing_new_blobs_one_is_stored
                blobs_go_with_their_record
                names_of_blobs_come_in_order_page_by_page
                names_of_blobs_match_their_prefix_to_the_letter
                blobs_of_owners_that_begin_alike_are_never_mixed
            }
            purging {
                what_has_expired_is_purged_with_its_blobs
                what_never_expires_is_never_purged
                a_purge_stops_at_its_limit
                racing_purges_remove_each_record_once
            }
            copying {
                a_scan_gives_every_record_once
                a_scan_of_an_empty_store_gives_nothing
                a_scan_sees_every_write_that_was_answered
                a_mark_may_be_used_again
                a_mark_that_no_scan_gave_is_refused
                what_is_written_during_a_scan_comes_once
                what_is_restored_keeps_its_version_and_its_place_in_every_index
                restoring_leaves_what_is_there_alone
                what_is_restored_is_written_on_at_its_version
                what_is_restored_is_purged_with_its_blobs
                a_thousand_records_may_be_restored_at_once
                of_racing_restores_one_wins
            }
        }
    };
}

#[cfg(test)]
mod tests {
    /// The list of cases, and the files they lie in.
    const LISTED: &[(&str, &[&str])] = store_case_list!(@names);
    const FILES: &[(&str, &str)] = &[
        ("records", include_str!("records.rs")),
        ("contents", include_str!("contents.rs")),
        ("races", include_str!("races.rs")),
        ("claims", include_str!("claims.rs")),
        ("indexes", include_str!("indexes.rs")),
        ("lists", include_str!("lists.rs")),
        ("blobs", include_str!("blobs.rs")),
        ("purging", include_str!("purging.rs")),
        ("copying", include_str!("copying.rs")),
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
