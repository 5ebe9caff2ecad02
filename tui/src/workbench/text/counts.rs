//! How many, in words.

/// `1 picture`, `2 pictures`.
pub fn pictures(count: u64) -> String {
    of(count, "picture")
}

/// `1 group`, `2 groups`.
pub fn groups(count: usize) -> String {
    of(count as u64, "group")
}

/// `1 task`, `2 tasks`.
pub fn tasks(count: usize) -> String {
    of(count as u64, "task")
}

/// `1 job`, `2 jobs`.
pub fn jobs(count: usize) -> String {
    of(count as u64, "job")
}

/// `1 alarm`, `2 alarms`.
pub fn alarms(count: usize) -> String {
    of(count as u64, "alarm")
}

/// `1 run`, `2 runs`.
pub fn runs(count: usize) -> String {
    of(count as u64, "run")
}

/// `1 capture`, `2 captures`.
pub fn captures(count: u64) -> String {
    of(count, "capture")
}

/// Of a word whose plural ends in s.
fn of(count: u64, one: &str) -> String {
    format!("{} {one}{}", number(count), if count == 1 { "" } else { "s" })
}

/// A count with thousands set apart.
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// How many captures are marked.
pub fn marked(count: u64) -> String {
    format!("{} marked", number(count))
}
