//! The language against what it promises: every example, every mistake, and whatever anybody types.

use jiff::{Timestamp, Zoned, civil, tz::TimeZone};
use proptest::prelude::*;

use super::*;

fn now() -> Zoned {
    civil::date(2026, 11, 20).at(12, 0, 0, 0).to_zoned(TimeZone::get("Europe/Berlin").unwrap()).unwrap()
}

fn parse(text: &str) -> Filter {
    Filter::parse(text, &now()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn tests(text: &str) -> Vec<(bool, Test)> {
    parse(text).terms.into_iter().map(|term| (term.negated, term.test)).collect()
}

#[test]
fn words_mean_what_they_say() {
    let whole = |text: &str| vec![Pattern::whole(text)];
    let defect = |test| (false, Test::Defect(test));
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let cases = [
        ("lot7", (false, Test::Name(vec![Pattern::part("lot7")]))),
        ("\"lot 7\"", (false, Test::Name(vec![Pattern::part("lot 7")]))),
        ("\"conf>1\"", (false, Test::Name(vec![Pattern::part("conf>1")]))),
        ("-", (false, Test::Name(vec![Pattern::part("-")]))),
        ("-lot7", (true, Test::Name(vec![Pattern::part("lot7")]))),
        ("file:*FT2*", (false, Test::Name(whole("*FT2*")))),
        ("source:\"bench 2\"", (false, Test::Source(whole("bench 2")))),
        ("job:A,B", (false, Test::Job(vec![Pattern::whole("A"), Pattern::whole("B")]))),
        ("-label:clean", (true, Test::Label(vec![Some(false)]))),
        ("LABEL:Defect,none", (false, Test::Label(vec![Some(true), None]))),
        ("state:failed", (false, Test::State(vec![CaptureState::Failed]))),
        ("verdict:not-graded", (false, Test::Verdict(vec![Some(Outcome::NotGraded)]))),
        ("split:val", (false, Test::Split(vec![Some("val")]))),
        ("type:scratch", defect(DefectTest::Kind(vec![DefectKind::Scratch]))),
        ("zone:core,none", defect(DefectTest::Zone(vec![Some(ZoneName::Core), None]))),
        ("conf>0.8", defect(DefectTest::Confidence(Compare::More, 0.8))),
        ("conf:>=0.8", defect(DefectTest::Confidence(Compare::AtLeast, 0.8))),
        ("severity>=high", defect(DefectTest::Severity(Compare::AtLeast, Severity::High))),
        ("plugin:detect-region", defect(DefectTest::Plugin(whole("detect-region")))),
        ("defects=0", (false, Test::Figure(Figure::Defects, Compare::Equal, 0.0))),
        ("since:2026-11-01", (false, Test::Seen(Compare::AtLeast, at("2026-10-31T23:00:00Z")))),
        ("since:2026-11-01T14:30", (false, Test::Seen(Compare::AtLeast, at("2026-11-01T13:30:00Z")))),
        ("until:2026-11-01T14:30:00Z", (false, Test::Seen(Compare::Less, at("2026-11-01T14:30:00Z")))),
        ("since:2h", (false, Test::Seen(Compare::AtLeast, at("2026-11-20T09:00:00Z")))),
        ("since:today", (false, Test::Seen(Compare::AtLeast, at("2026-11-19T23:00:00Z")))),
        ("reviewed:no", (false, Test::Reviewed(false))),
        ("image:3F2a", (false, Test::Image(vec!["3f2a".into()]))),
    ];
    for (text, expected) in cases {
        assert_eq!(tests(text), [expected], "{text}");
    }
    assert_eq!(tests("  label:defect   conf>0.8 ").len(), 2);
    assert!(parse(" ").is_empty());
}

#[test]
fn blanks_may_stand_around_a_sign_that_compares_a_field() {
    for text in ["defects > 3", "defects> 3", "defects >3", "  Defects  >  3 "] {
        assert_eq!(tests(text), tests("defects>3"), "{text}");
    }
    assert_eq!(parse("lot7 -conf >= 0.8 label:defect"), parse("lot7 -conf>=0.8 label:defect"));
    assert_eq!(parse("quality < 50 defects = 0").to_string(), "quality<50 defects=0");
    // Of names: no field, and a field's name without a sign.
    assert_eq!(tests("lot7 > 3").len(), 3);
    assert_eq!(tests("defects 3").len(), 2);
}

#[test]
fn every_field_has_an_example_that_can_be_read() {
    for help in FIELDS {
        assert_eq!(tests(help.example).len(), 1, "{}", help.example);
        assert!(help.example.starts_with(help.name));
    }
}

#[test]
fn the_documentation_names_every_field() {
    let documentation = include_str!("../../../docs/filters.md");
    for help in FIELDS {
        let name = help.name;
        assert!([':', '<', '>'].iter().any(|sign| documentation.contains(&format!("`{name}{sign}"))), "{name}");
    }
}

#[test]
fn errors_name_the_place_and_the_remedy() {
    let cases = [
        ("lable:defect", "lable", "there is no field `lable`; did you mean `label`?"),
        ("x labl:a", "labl", "there is no field `labl`; did you mean `label`?"),
        ("c:\\x", "c", "there is no field `c`; put a name with such a sign into quotation marks; Tab shows the fields"),
        ("label:bad", "bad", "`bad` is no label; write defect, clean or none"),
        ("label:clean,bad", "bad", "`bad` is no label; write defect, clean or none"),
        ("label:", "", "nothing stands after `label:`; for example label:defect"),
        ("conf>much", "much", "`much` is no conf; for example conf>0.8"),
        ("conf>nan", "nan", "`nan` is no conf; for example conf>0.8"),
        ("conf>0.1,0.2", "0.1,0.2", "`conf` takes one value; leave the others out"),
        ("conf><1", "><", "`><` compares nothing; write it as in label:defect or conf>0.8"),
        ("defects > = 3", "> =", "`> =` compares nothing; write it as in label:defect or conf>0.8"),
        ("job =\n :x", "=\n :", "`= :` compares nothing; write it as in label:defect or conf>0.8"),
        ("label>defect", "defect", "`label` has no more and less; for example label:defect"),
        (
            "since:soon",
            "soon",
            "`soon` is no time; write a date (2026-11-01), a time (2026-11-01T14:30), today, or how long ago (30m, 2h, 7d)",
        ),
        ("a \"lot 7", "\"lot 7", "this quotation mark is not closed; write another \" after the text"),
        ("image:xyz", "xyz", "`xyz` is no image; for example image:3f2a"),
    ];
    for (text, place, message) in cases {
        let error = Filter::parse(text, &now()).unwrap_err();
        assert_eq!((&text[error.at.clone()], error.to_string().as_str()), (place, message), "{text}");
    }
}

#[test]
fn one_answer_takes_the_place_of_another() {
    let filter = parse("label:defect conf>0.8").with(parse("label:clean"));
    assert_eq!(filter.to_string(), "conf>0.8 label:clean");
    let without = filter.without(|test| matches!(test, Test::Label(_)));
    assert_eq!(without.to_string(), "conf>0.8");
}

#[test]
fn a_word_is_completed_where_it_ends() {
    assert_eq!(completions("type:pit la"), ["type:pit label:"]);
    assert_eq!(completions("-label:c"), ["-label:clean"]);
    assert_eq!(completions("state:failed,qu"), ["state:failed,queued"]);
    assert_eq!(completions("con"), ["conf>"]);
    assert_eq!(completions("label:defect"), [""; 0]);
    assert_eq!(completions("").len(), FIELDS.len());
}

#[test]
fn wildcards_stand_for_any_text_and_one_character() {
    let fits = |pattern: &str, text: &str| Pattern::whole(pattern).matches(text);
    assert!(fits("*ft2*", "a-FT2-b.png") && fits("FT?-1*", "ft2-10") && fits("", "") && fits("*", ""));
    assert!(!fits("FT2", "FT2-1") && !fits("?", "") && !fits("a*b?", "ab"));
    assert_eq!(Pattern::whole("a%_\\*?").like(), "a\\%\\_\\\\%_");
    assert_eq!(Pattern::part("abcd").trigrams(9), ["abc", "bcd"]);
}

proptest! {
    #[test]
    fn any_text_is_a_filter_or_an_error_with_a_place_in_it(text in any::<String>()) {
        match Filter::parse(&text, &now()) {
            Ok(filter) => prop_assert_eq!(Filter::parse(&filter.to_string(), &now()).unwrap(), filter),
            Err(error) => prop_assert!(text.get(error.at.clone()).is_some(), "{:?}", error),
        }
    }

    #[test]
    fn what_looks_like_a_filter_too(text in "(-?(label|conf|type|file|since|x)[:<>=]{1,2}[a-z0-9\",.*é-]{0,6}[ ]{0,2}){0,4}") {
        match Filter::parse(&text, &now()) {
            Ok(filter) => prop_assert_eq!(Filter::parse(&filter.to_string(), &now()).unwrap(), filter),
            Err(error) => prop_assert!(text.get(error.at.clone()).is_some() && !error.remedy.is_empty()),
        }
    }

    #[test]
    fn completing_keeps_what_stands_before(text in "[-a-z:, ]{0,20}") {
        for completed in completions(&text) {
            prop_assert!(completed.starts_with(&text) && completed.len() > text.len());
        }
    }
}
