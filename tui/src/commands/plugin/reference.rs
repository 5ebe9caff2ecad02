//! The reference page of plug-ins' parameters, made from what they say of themselves: `ferrule plugin list --markdown`.

use ferrule_core::{
    host::{Available, Catalogue},
    settings::Slots,
};

use super::list::{is_used, kind, value};

/// The page, slot by slot. It holds no version and no build: it changes when a parameter does.
pub fn page(catalogue: &Catalogue, slots: &Slots) -> String {
    let mut page = String::from(
        "# Parameters\n\nWhat each plug-in can be told, below its id in a workspace's `ferrule.toml`:\n\n```toml\n\
         [plugin.detect-region]\nhigh = 6.0\n```\n\nA value out of its range is refused with one line, and the former \
         settings stay in force. This page is what\n`ferrule plugin list --shipped --markdown` writes.\n",
    );
    let mut plugins: Vec<&Available> = catalogue.available.iter().collect();
    plugins.sort_by(|a, b| (a.card.slot as u8, &a.card.id).cmp(&(b.card.slot as u8, &b.card.id)));
    for plugin in plugins {
        let card = &plugin.card;
        let used = if is_used(slots, &card.id) { "in the pipeline" } else { "not in the pipeline" };
        page.push_str(&format!("\n## `{}`\n\n{}: {}. It is {used}.\n", card.id, card.slot, sentence(&card.summary)));
        if card.parameters.is_empty() {
            page.push_str("\nIt has no parameters.\n");
            continue;
        }
        page.push_str("\n| parameter | default | unit | takes | what it does |\n| --- | --- | --- | --- | --- |\n");
        for parameter in &card.parameters {
            let cells = [
                format!("`{}`", parameter.name),
                format!("`{}`", value(&parameter.default)),
                parameter.unit.clone(),
                kind(&parameter.kind),
                parameter.help.clone(),
            ];
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            page.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
    }
    page
}

/// Without the full stop that some summaries end with.
fn sentence(summary: &str) -> &str {
    summary.trim_end_matches('.')
}
