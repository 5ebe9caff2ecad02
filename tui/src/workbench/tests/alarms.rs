//! What rings: seen on every screen, listed, acknowledged by name.

use ferrule_core::{
    alarm::{Alarm, AlarmKind, AlarmStep},
    protocol::{Answer, Event as EngineEvent, Request, Status},
};

use super::sample::{Bench, LARGE, SMALL, status};
use crate::workbench::{event::FromEngine, text, theme::Colours};

fn alarm(rule: &str, kind: AlarmKind, message: &str) -> Alarm {
    Alarm {
        rule: rule.into(),
        kind,
        message: message.into(),
        raised_at: "2026-09-21T14:31:00Z".into(),
        over_at: None,
        seen_by: None,
        bell: true,
    }
}

fn two() -> Vec<Alarm> {
    let rate = "95 % of the last 40 captures have a defect (90 % within 15 minutes)";
    vec![
        Alarm { over_at: Some("2026-09-21T14:33:00Z".into()), ..alarm("defect_rate", AlarmKind::DefectRate, rate) },
        alarm("disk_low", AlarmKind::DiskLow, "1800 MiB are free for the dataset (2048 or fewer ring)"),
    ]
}

fn with(alarms: Vec<Alarm>) -> FromEngine {
    FromEngine::Event(EngineEvent::Status(Box::new(Status { alarms, ..status() })))
}

#[test]
fn what_rings_is_on_live_in_every_title_and_in_a_list() {
    for size in [SMALL, LARGE] {
        let mut bench = Bench::running(size, Colours::Palette256);
        bench.feed(with(two()));
        insta::assert_snapshot!(format!("alarms_live_{}x{}", size.width, size.height), bench.text());
        for screen in ["2", "3", "4", "5", "6", "7"] {
            bench.press(screen);
            assert!(bench.text().lines().next().unwrap_or_default().contains("! 2 alarms"), "{}", bench.text());
        }
        bench.press("Aj");
        insta::assert_snapshot!(format!("alarms_{}x{}", size.width, size.height), bench.text());
    }
}

#[test]
fn a_raised_alarm_rings_once_and_one_without_a_bell_only_shows_itself() {
    let mut bench = Bench::running(SMALL, Colours::Palette256);
    let raised = |bell| {
        let alarm = Box::new(Alarm { bell, ..alarm("failures", AlarmKind::Failures, "3\u{1b}[2J captures") });
        FromEngine::Event(EngineEvent::Alarm { step: AlarmStep::Raised, alarm })
    };
    bench.feed(raised(false));
    assert_eq!(bench.headless.rung, 0);
    assert!(bench.text().contains("Alarm failures: 3\\x1B[2J captures"), "{}", bench.text());
    bench.feed(raised(true));
    assert_eq!(bench.headless.rung, 1);
    let alarm = Box::new(alarm("failures", AlarmKind::Failures, "3 captures"));
    assert!(!bench.feed(FromEngine::Event(EngineEvent::Alarm { step: AlarmStep::Over, alarm })));
    assert_eq!(bench.headless.rung, 1);
}

#[test]
fn acknowledging_names_the_alarm_and_the_person() {
    let mut bench = Bench::running(SMALL, Colours::Palette256);
    bench.press("A");
    assert!(bench.text().contains(text::NO_ALARMS));
    bench.press("<Enter><Esc>");
    assert!(bench.headless.asked.is_empty());
    bench.feed(with(two()));
    bench.press("Aj<Enter>");
    bench.press("a");
    let acknowledge = |rule: Option<&str>| Request::Acknowledge { rule: rule.map(str::to_owned), by: "Ann".into() };
    assert_eq!(bench.headless.asked, [acknowledge(Some("disk_low")), acknowledge(None)]);
    bench.feed(FromEngine::Answer { request: acknowledge(None), answer: Answer::Ok { count: 2 } });
    assert!(!bench.text().contains(text::ALARMS_TITLE), "{}", bench.text());
    let seen = two().into_iter().map(|alarm| Alarm { seen_by: Some("Ann".into()), ..alarm });
    bench.feed(with(seen.collect()));
    assert!(bench.text().contains(text::ENGINE_RUNNING), "{}", bench.text());
}
