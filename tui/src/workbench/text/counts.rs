//! How many, in words.

/// `1 picture`, `2 pictures`.
pub fn pictures(count: u64) -> String {
    if count == 1 { "1 picture".to_owned() } else { format!("{} pictures", number(count)) }
}

/// `1 group`, `2 groups`.
pub fn groups(count: usize) -> String {
    if count == 1 { "1 group".to_owned() } else { format!("{count} groups") }
}

/// `1 task`, `2 tasks`.
pub fn tasks(count: usize) -> String {
    if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") }
}

/// `1 job`, `2 jobs`.
pub fn jobs(count: usize) -> String {
    if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") }
}

/// `1 alarm`, `2 alarms`.
pub fn alarms(count: usize) -> String {
    if count == 1 { "1 alarm".to_owned() } else { format!("{count} alarms") }
}

/// `1 run`, `2 runs`.
pub fn runs(count: usize) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{} runs", number(count as u64)) }
}

/// `1 capture`, `2 captures`.
pub fn captures(count: u64) -> String {
    if count == 1 { "1 capture".to_owned() } else { format!("{} captures", number(count)) }
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
