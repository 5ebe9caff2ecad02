//! Conditions of every kind, what stands until when, and that memory is bounded whatever comes.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use proptest::prelude::*;

use super::{AlarmKind, AlarmRule, Around, Board, Ended, watch::Watch};
use crate::report::Outcome;

fn rule(kind: AlarmKind, threshold: u32) -> AlarmRule {
    AlarmRule {
        name: kind.as_str().into(),
        kind,
        threshold,
        window: Duration::from_secs(600),
        source: None,
        command: Vec::new(),
        bell: true,
    }
}

fn ended(has_defect: Option<bool>, verdict: Option<Outcome>) -> Ended<'static> {
    Ended { source: "scope-1", failed: verdict.is_none() && has_defect.is_none(), has_defect, verdict }
}

const FAIL: Option<Outcome> = Some(Outcome::Fail);
const PASS: Option<Outcome> = Some(Outcome::Pass);

fn board(rules: &[AlarmRule], now: Instant) -> Board {
    let mut board = Board::default();
    board.take(rules, now);
    board
}

/// What changed, as `raised fails_in_a_row`.
fn judged(board: &mut Board, now: Instant) -> Vec<String> {
    let (steps, _) = board.judge(now, Timestamp::UNIX_EPOCH, &Around::default());
    steps.iter().map(|(step, alarm)| format!("{step:?} {}", alarm.rule).to_lowercase()).collect()
}

#[test]
fn fails_in_a_row_raise_once_and_a_pass_ends_them() {
    let now = Instant::now();
    let mut board = board(&[rule(AlarmKind::FailsInARow, 3)], now);
    for (verdict, expected) in [
        (FAIL, ""),
        (FAIL, ""),
        (Some(Outcome::NotGraded), ""),
        (FAIL, "raised fails_in_a_row"),
        (FAIL, ""),
        (PASS, "over fails_in_a_row"),
        (PASS, ""),
    ] {
        board.ended(&ended(Some(true), verdict), now);
        assert_eq!(judged(&mut board, now).concat(), expected);
    }
    assert_eq!(board.standing()[0].message, "verdict fail 3 times in a row");
}

#[test]
fn what_nobody_acknowledged_stands_and_rings_no_second_time() {
    let now = Instant::now();
    let mut board = board(&[rule(AlarmKind::FailsInARow, 1)], now);
    let mut told = Vec::new();
    for verdict in [FAIL, PASS, FAIL, PASS] {
        board.ended(&ended(None, verdict), now);
        told.extend(judged(&mut board, now));
    }
    assert_eq!(told.iter().filter(|step| step.starts_with("raised")).count(), 1, "{told:?}");
    assert_eq!(board.standing().len(), 1, "over, and still there to be seen");
    assert_eq!(board.acknowledge(None, "Ann")[0].seen_by.as_deref(), Some("Ann"));
    assert!(board.standing().is_empty());
    assert!(board.acknowledge(None, "Bob").is_empty());
    // Now it is news again; acknowledged while it holds, it stays in sight until it is over.
    board.ended(&ended(None, FAIL), now);
    assert_eq!(judged(&mut board, now), ["raised fails_in_a_row"]);
    assert_eq!(board.acknowledge(Some("fails_in_a_row"), "Bob").len(), 1);
    assert_eq!(board.standing().len(), 1);
    board.ended(&ended(None, PASS), now);
    assert_eq!(judged(&mut board, now), ["over fails_in_a_row"]);
    assert!(board.standing().is_empty());
}

#[test]
fn a_rate_needs_captures_enough_and_forgets_what_left_the_window() {
    let now = Instant::now();
    let mut board = board(&[rule(AlarmKind::DefectRate, 50)], now);
    for _ in 0..19 {
        board.ended(&ended(Some(true), None), now);
    }
    assert_eq!(judged(&mut board, now).concat(), "", "19 captures say nothing");
    board.ended(&ended(Some(false), None), now);
    assert_eq!(judged(&mut board, now).concat(), "raised defect_rate");
    assert!(board.standing()[0].message.starts_with("95 % of the last 20 captures"), "{:?}", board.standing());
    assert_eq!(judged(&mut board, now + Duration::from_secs(601)).concat(), "over defect_rate");
}

#[test]
fn failures_silence_quarantine_and_a_full_disk() {
    let now = Instant::now();
    let kinds =
        [(AlarmKind::Failures, 2), (AlarmKind::Silence, 30), (AlarmKind::Quarantined, 1), (AlarmKind::DiskLow, 2048)];
    let mut board = board(&kinds.map(|(kind, threshold)| rule(kind, threshold)), now);
    assert!(judged(&mut board, now).is_empty());
    board.ended(&ended(None, None), now);
    board.ended(&ended(None, None), now);
    assert_eq!(judged(&mut board, now), ["raised failures"]);
    board.seen("scope-1", now + Duration::from_secs(60));
    assert!(!judged(&mut board, now + Duration::from_secs(1_859)).contains(&"raised silence".to_owned()));
    assert_eq!(judged(&mut board, now + Duration::from_secs(1_860)), ["raised silence"]);
    let around = Around { quarantined: vec!["detect-scratch".into()], free_mb: Some(2048) };
    let (steps, _) = board.judge(now + Duration::from_secs(1_861), Timestamp::UNIX_EPOCH, &around);
    let said: Vec<&str> = steps.iter().map(|(_, alarm)| alarm.message.as_str()).collect();
    assert_eq!(
        said,
        ["set aside after crashes: detect-scratch", "2048 MiB are free for the dataset (2048 or fewer ring)"]
    );
}

#[test]
fn a_rule_of_one_source_hears_nothing_of_others_and_zero_never_raises() {
    let now = Instant::now();
    let far = AlarmRule { name: "far".into(), source: Some("far".into()), ..rule(AlarmKind::FailsInARow, 1) };
    let off = rule(AlarmKind::Silence, 0);
    let mut board = board(&[far, off], now);
    board.ended(&ended(None, FAIL), now);
    assert!(judged(&mut board, now + Duration::from_secs(1_000_000)).is_empty());
    board.ended(&Ended { source: "far", ..ended(None, FAIL) }, now);
    assert_eq!(judged(&mut board, now), ["raised far"]);
    assert_eq!(board.standing()[0].message, "far: verdict fail 1 times in a row");
}

#[test]
fn a_rule_that_is_configured_no_more_leaves_its_alarm_over_and_to_be_seen() {
    let now = Instant::now();
    let mut board = board(&[AlarmRule { command: vec!["mail".into()], ..rule(AlarmKind::FailsInARow, 1) }], now);
    board.ended(&ended(None, FAIL), now);
    let (_, calls) = board.judge(now, Timestamp::UNIX_EPOCH, &Around::default());
    assert_eq!((calls.len(), calls[0].command[0].as_str()), (1, "mail"));
    board.take(&[], now);
    assert_eq!(judged(&mut board, now), ["over fails_in_a_row"]);
    assert_eq!(board.standing().len(), 1);
}

#[test]
fn a_changed_threshold_keeps_what_a_rule_remembers() {
    let now = Instant::now();
    let mut board = board(&[rule(AlarmKind::FailsInARow, 9)], now);
    for _ in 0..4 {
        board.ended(&ended(None, FAIL), now);
    }
    board.take(&[rule(AlarmKind::FailsInARow, 4)], now);
    assert_eq!(judged(&mut board, now), ["raised fails_in_a_row"]);
}

proptest! {
    #[test]
    fn memory_is_what_the_captures_say(verdicts in prop::collection::vec(0_u8..4, 0..300)) {
        let now = Instant::now();
        let mut row = Watch::new(rule(AlarmKind::FailsInARow, 1), now);
        let mut rate = Watch::new(rule(AlarmKind::DefectRate, 1), now);
        let verdict = |number: &u8| [FAIL, PASS, Some(Outcome::NotGraded), None][usize::from(*number)];
        for number in &verdicts {
            let has_defect = verdict(number).map(|it| it == Outcome::Fail);
            row.ended(&ended(has_defect, verdict(number)), now);
            rate.ended(&ended(has_defect, verdict(number)), now);
        }
        let graded = verdicts.iter().filter(|number| **number < 2);
        let last = graded.rev().take_while(|number| **number == 0).count();
        prop_assert_eq!(row.remembered().2 as usize, last);
        let labelled = verdicts.iter().filter(|number| **number < 3).count();
        let defective = verdicts.iter().filter(|number| **number == 0).count();
        prop_assert_eq!(rate.remembered().0, labelled);
        prop_assert_eq!(rate.remembered().1, defective);
    }

    #[test]
    fn no_window_grows_without_end_and_none_forgets_too_soon(
        count in 1_u32..3_000, pause in 0_u64..400, minutes in 1_u64..20,
    ) {
        let window = Duration::from_secs(60 * minutes);
        let rule = AlarmRule { window, ..rule(AlarmKind::DefectRate, 1) };
        let begin = Instant::now();
        let mut rate = Watch::new(rule, begin);
        let at = |number: u32| begin + Duration::from_millis(pause) * number;
        for number in 0..count {
            rate.ended(&ended(Some(number % 2 == 0), None), at(number));
        }
        let now = at(count - 1);
        rate.holds(now, &Around::default());
        let within = |length: Duration| (0..count).filter(|number| now - at(*number) <= length).count();
        let (all, defective, _) = rate.remembered();
        prop_assert!(all <= within(window) && all >= within(window - window / 200), "{all} of {count}");
        prop_assert!(defective.abs_diff(all / 2) <= 1);
        prop_assert!(rate.stretches() <= 201);
    }

    #[test]
    fn an_alarm_is_raised_again_only_after_it_was_over_and_seen(moves in prop::collection::vec(0_u8..3, 0..60)) {
        let now = Instant::now();
        let mut board = board(&[rule(AlarmKind::FailsInARow, 1)], now);
        let (mut stands, mut holds) = (false, false);
        for it in moves {
            match it {
                0 => { board.ended(&ended(None, FAIL), now); holds = true; }
                1 => { board.ended(&ended(None, PASS), now); holds = false; }
                _ => { board.acknowledge(None, "Ann"); }
            }
            let raised = judged(&mut board, now).iter().any(|step| step.starts_with("raised"));
            prop_assert!(!(raised && stands), "rang while it stood");
            stands = !board.standing().is_empty();
            prop_assert!(!holds || stands, "what holds is in sight");
        }
    }
}
